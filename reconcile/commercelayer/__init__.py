"""What Commerce Layer says and how to ask: documents, queries, tokens, limits, retries, pages."""
