"""One file for each thing that a user does, and what it takes to do it; `night` is the first one to read."""
