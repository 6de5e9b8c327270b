"""Commerce Layer's own exports: created, waited for, fetched, read row by row, and cut where they are too large."""
