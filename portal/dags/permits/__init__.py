"""Permits: some runs within bounds, without another approval."""
