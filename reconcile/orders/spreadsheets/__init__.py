"""Spreadsheets (.xlsx), read as they are stored."""
