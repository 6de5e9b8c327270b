"""What counts as a match, said once, and the engines it runs on."""
