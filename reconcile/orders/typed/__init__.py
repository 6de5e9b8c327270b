"""Columns that have types already, and the files that hold them."""
