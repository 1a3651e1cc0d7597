"""Connecting deployments, and the management commands of admins."""
