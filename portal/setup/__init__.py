"""Connecting deployments, and management commands for administrators."""
