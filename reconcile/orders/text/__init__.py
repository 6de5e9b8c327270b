"""Files of text: delimited, and JSON."""
