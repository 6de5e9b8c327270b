"""Spreadsheets (.xlsx), whoever has written them: read as they are stored."""
