"""The permission matrix for people to read: the source of docs/permissions.md (`manage.py reference`)."""

from __future__ import annotations

from accounts.permissions import MATRIX, Permission, Role
from accounts.tokens import SCOPES

MEANING: dict[Permission, str] = {
    Permission.HOME: "see one's own access, requests and profile; by the API, the status of each deployment",
    Permission.REQUEST: "ask for access; comment on, change and withdraw requests; hand access back",
    Permission.OPERATE: "see and operate the DAGs that the catalogue offers to the person",
    Permission.DECIDE: "see the queue; approve, deny, return and revoke where a policy names the person as an approver",
    Permission.AUDIT: "read, export and verify the trail",
    Permission.SEE_ALL_ACCESS: "read everybody's requests, grants and runs",
    Permission.REVOKE_ANY: "end anybody's grant",
    Permission.REPAIR: "try failed grants again",
    Permission.SEE_DEPLOYMENTS: "see the deployments page: accounts, health and waiting operations",
}
HOLDERS: dict[Role, str] = {
    Role.EMPLOYEE: "everybody who can sign in",
    Role.APPROVER: "everybody whom a policy of the catalogue names as an approver",
    Role.AUDITOR: '`[groups.<name>] role = "auditor"`',
    Role.ADMIN: '`[groups.<name>] role = "admin"`',
}


def markdown() -> str:
    """The text of docs/permissions.md."""
    lines = [
        "# Who may do what",
        "",
        "Written by `manage.py reference` from `accounts/permissions.py`; do not edit it by hand.",
        "",
        f"| | {' | '.join(Role)} | token scope |",
        f"|---|{'---|' * len(Role)}---|",
    ]
    for permission in Permission:
        held = " | ".join("yes" if permission in MATRIX[role] else "" for role in Role)
        scopes = ", ".join(f"`{scope}`" for scope, needed in SCOPES.items() if needed == permission)
        lines.append(f"| {MEANING[permission]} | {held} | {scopes} |")
    lines += ["", "| role | who has it |", "|---|---|"]
    lines += [f"| {role} | {HOLDERS[role]} |" for role in Role]
    lines += [
        "",
        "A person may have several roles and may do what any of them allows. The roles approver and admin never allow",
        "a person to decide their own request or one that benefits them. A deactivated account has no role.",
        "",
    ]
    return "\n".join(lines)
