"""What earlier nights and people have said of a break: since when it is open, and whether it is accepted."""
