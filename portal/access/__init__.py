"""Entitlements and grants: asking for access, giving it, taking it away."""
