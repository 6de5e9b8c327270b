"""What would have to be declared for order files that cannot be read as they are, tried on the files themselves."""
