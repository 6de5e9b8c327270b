"""Spreadsheets (.xlsx), of order totals, read as they are stored."""
