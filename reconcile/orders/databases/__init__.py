"""A query on a database as the order side."""
