"""The local copy of a shop's payments: what a pull has read and not lost, whatever stops it."""
