"""Published files as JSON Schema: the summary of a run, and the rows of its tables."""
