"""The calls. Each one parses its input, calls one action or query, and answers."""
