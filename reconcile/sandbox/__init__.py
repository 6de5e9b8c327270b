"""The API's stand-in: strict, seeded, with faults on demand. Shares no code with the client."""
