"""A strict stand-in for the Commerce Layer API, for demos and tests. Shares no code with the client."""
