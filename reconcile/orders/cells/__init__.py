"""What a cell says: exact amounts, dates, signs, clean keys; or a reject with its reason and remedy."""
