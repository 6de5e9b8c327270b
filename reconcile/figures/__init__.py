"""What a run comes to: counts, totals, patterns, limits and warnings, and what proves them; `summary.json`'s shape."""
