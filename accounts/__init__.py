"""People, groups, sign-in, API tokens, roles of the portal."""
