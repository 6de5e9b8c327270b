"""Keys as they are compared: the rules of cleaning, what they changed, and what would make keys meet."""
