"""The calls: each parses, calls one action or query, and answers."""
