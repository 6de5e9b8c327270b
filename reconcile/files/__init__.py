"""Each file written and each database opened in one way: whole or not at all, in UTC, and back as it was."""
