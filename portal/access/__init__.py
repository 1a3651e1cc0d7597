"""Entitlements and grants: requesting access, granting it and removing it."""
