"""Which column of a file means what, by the names that systems and languages give it."""
