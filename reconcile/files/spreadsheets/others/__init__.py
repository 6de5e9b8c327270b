"""Spreadsheets that are no .xlsx: .xls and .ods by python-calamine, and tables in HTML or XML that are called .xls."""
