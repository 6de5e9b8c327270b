"""What the sandbox answers: requests read as strictly as the API does, documents, refusals, limits, faults."""
