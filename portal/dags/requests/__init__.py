"""Requests for one run: ask, start after the approval, the request kind."""
