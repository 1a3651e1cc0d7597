"""People and groups, sign-in, API tokens, and the portal's roles."""
