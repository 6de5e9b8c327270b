"""The result for people and spreadsheets: written from a run folder, never from the network."""
