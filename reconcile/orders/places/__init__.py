"""Where order totals are, and how their bytes come here: paths, patterns, folders, archives, addresses."""
