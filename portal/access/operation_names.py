"""The names of the operation kinds of this package. `operation_kinds` registers them."""

GRANT_ROLE = "grant_role"
REVOKE_ROLE = "revoke_role"
RESTORE_ROLE = "restore_role"
REMOVE_AGAIN = "remove_again"
