"""What a person may set, where it comes from, and what each stage takes of it."""
