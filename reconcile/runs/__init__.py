"""Run folders: staged, published, listed, compared, verified."""
