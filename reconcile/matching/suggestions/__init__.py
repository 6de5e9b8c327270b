"""What a break may mean, and the rows near it: said, never matched."""
