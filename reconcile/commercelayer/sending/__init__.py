"""One request and its answer: credentials, the wire, sizes, what is tried again and what is refused."""
