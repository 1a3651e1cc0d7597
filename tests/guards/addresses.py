"""A table of all addresses of the portal: who may use each one, and who gets 404 instead.

The tests of the pages use this table. A new address that is missing here fails a test, and so does a view that
requires another permission than its row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from accounts.permissions import MATRIX, Permission, Role
from tests.factories import NAMES, PASSWORD

P = Permission

# the roles of the cast; a change of roles must be made here too
ROLES = {
    "employee": {Role.EMPLOYEE},
    "colleague": {Role.EMPLOYEE},
    "lead": {Role.EMPLOYEE, Role.APPROVER},
    "lead2": {Role.EMPLOYEE, Role.APPROVER},
    "security": {Role.EMPLOYEE, Role.APPROVER},
    "auditor": {Role.EMPLOYEE, Role.AUDITOR},
    "admin": {Role.EMPLOYEE, Role.ADMIN},
    "stranger": {Role.EMPLOYEE},
}
EVERYBODY = frozenset(NAMES)
NOBODY: frozenset[str] = frozenset()
OVERSIGHT = frozenset({"auditor", "admin"})
LEADS = frozenset({"lead", "lead2"})
OF_EMPLOYEES_REQUEST = frozenset({"employee"}) | LEADS | OVERSIGHT
MAY_ASK_FOR_DAG = frozenset({"employee", "colleague"}) | LEADS


def permitted(permission: Permission) -> frozenset[str]:
    return frozenset(name for name, roles in ROLES.items() if any(permission in MATRIX[role] for role in roles))


@dataclass(frozen=True)
class Address:
    """One URL name.

    permission: the one that its view requires; None: it is public. of: the kind of thing in the address
    (tests/guards/world.py). sees: the people who may see that thing; others get 404. get: it answers GET. post: the
    people whose POST is accepted (302, 409 or 422); None: there is no POST. data: the posted form.
    """

    permission: Permission | None
    of: str = ""
    sees: frozenset[str] = EVERYBODY
    get: bool = True
    post: frozenset[str] | None = None
    data: dict[str, str] = field(default_factory=dict)
    query: str = ""

    def let_in(self) -> frozenset[str]:
        return permitted(self.permission) if self.permission else EVERYBODY


def do(permission: Permission, of: str, *, sees: frozenset[str], may: frozenset[str], **data: str) -> Address:
    """An address that accepts only POST."""
    return Address(permission, of, sees, get=False, post=may, data=data)


PAGES: dict[str, Address] = {
    "home": Address(P.HOME),
    "request_list": Address(P.HOME, query="?show=all"),
    "request_new": Address(
        P.REQUEST, query="?entitlement=demo/role/User", post=EVERYBODY, data={"entitlement": "demo/role/User"}
    ),
    "request_detail": Address(P.HOME, "request", OF_EMPLOYEES_REQUEST),
    "request_withdraw": do(P.REQUEST, "request", sees=OF_EMPLOYEES_REQUEST, may=frozenset({"employee"})),
    "request_cancel": do(
        P.HOME, "scheduled", sees=OF_EMPLOYEES_REQUEST, may=frozenset({"employee"}) | LEADS, reason="not today"
    ),
    "permit_new": Address(
        P.REQUEST, "dag", MAY_ASK_FOR_DAG, post=MAY_ASK_FOR_DAG, data={"runs": "1", "duration": "1 day", "reason": "x"}
    ),
    "permit_revoke": do(
        P.HOME,
        "permit",
        sees=OF_EMPLOYEES_REQUEST,
        may=frozenset({"employee", "admin"}) | LEADS,
        reason="enough",
    ),
    "variable_list": Address(P.OPERATE),
    "variable_detail": Address(
        P.OPERATE,
        "variable",
        MAY_ASK_FOR_DAG | OVERSIGHT,
        post=MAY_ASK_FOR_DAG,
        data={"value": '"fast"', "reason": "month end"},
    ),
    "request_approve": do(P.DECIDE, "request", sees=OF_EMPLOYEES_REQUEST, may=LEADS),
    "request_deny": do(P.DECIDE, "request", sees=OF_EMPLOYEES_REQUEST, may=LEADS, comment="no"),
    "request_return": do(P.DECIDE, "request", sees=OF_EMPLOYEES_REQUEST, may=LEADS, comment="shorter"),
    "request_resubmit": do(
        P.REQUEST, "returned", sees=OF_EMPLOYEES_REQUEST, may=frozenset({"employee"}), duration="1 h"
    ),
    "request_comment": do(
        P.HOME, "request", sees=OF_EMPLOYEES_REQUEST, may=frozenset({"employee"}) | LEADS, text="which one?"
    ),
    "queue": Address(P.DECIDE),
    "queue_item": Address(P.DECIDE, "request", OF_EMPLOYEES_REQUEST),
    "access": Address(P.HOME),
    "grant_hand_back": do(P.REQUEST, "grant", sees=OF_EMPLOYEES_REQUEST, may=frozenset({"employee"})),
    "grant_revoke": do(P.HOME, "grant", sees=OF_EMPLOYEES_REQUEST, may=LEADS | {"admin"}, reason="enough"),
    "grant_retry": do(P.REPAIR, "grant", sees=OF_EMPLOYEES_REQUEST, may=frozenset({"admin"})),
    "grant_read": do(P.HOME, "grant", sees=OF_EMPLOYEES_REQUEST, may=frozenset({"employee"})),
    "dag_list": Address(P.OPERATE),
    "dag_detail": Address(P.OPERATE, "dag", MAY_ASK_FOR_DAG, query="?enter=1"),
    "dag_trigger": do(P.OPERATE, "dag", sees=MAY_ASK_FOR_DAG, may=MAY_ASK_FOR_DAG, conf="{}", reason="month end"),
    "dag_form": do(P.OPERATE, "dag", sees=MAY_ASK_FOR_DAG, may=MAY_ASK_FOR_DAG, conf="{}"),  # changes nothing
    "dag_pause": do(P.OPERATE, "dag", sees=MAY_ASK_FOR_DAG, may=frozenset({"colleague"}), reason="month end"),
    "dag_unpause": do(P.OPERATE, "dag", sees=MAY_ASK_FOR_DAG, may=frozenset({"colleague"}), reason="go on"),
    "run_detail": Address(P.OPERATE, "run", MAY_ASK_FOR_DAG | OVERSIGHT),
    "run_cancel": do(P.OPERATE, "run", sees=MAY_ASK_FOR_DAG | OVERSIGHT, may=frozenset({"colleague"}), reason="why"),
    "run_retry": do(P.OPERATE, "run", sees=MAY_ASK_FOR_DAG | OVERSIGHT, may=frozenset({"colleague"})),
    "run_clear": do(P.OPERATE, "run", sees=MAY_ASK_FOR_DAG | OVERSIGHT, may=frozenset({"colleague"}), task="publish"),
    "run_notice": do(P.OPERATE, "run", sees=MAY_ASK_FOR_DAG | OVERSIGHT, may=MAY_ASK_FOR_DAG | OVERSIGHT),
    "run_notice_read": do(P.OPERATE, "run", sees=MAY_ASK_FOR_DAG | OVERSIGHT, may=MAY_ASK_FOR_DAG | OVERSIGHT),
    "run_log": Address(P.OPERATE, "run", MAY_ASK_FOR_DAG | OVERSIGHT, query="?task=publish&try=1"),
    "run_log_text": Address(P.OPERATE, "run", MAY_ASK_FOR_DAG | OVERSIGHT, query="?task=publish&try=1"),
    "audit": Address(P.AUDIT),
    "audit_export": Address(P.AUDIT, query="?format=jsonl"),
    "audit_verify": do(P.AUDIT, "", sees=EVERYBODY, may=OVERSIGHT),
    "deployment_list": Address(P.SEE_DEPLOYMENTS),
    "dag_entries": Address(P.SEE_DEPLOYMENTS, "deployment", OVERSIGHT),
    "profile": Address(P.HOME, post=EVERYBODY),
    "password_change": do(P.HOME, "", sees=EVERYBODY, may=EVERYBODY, current="wrong", new="", again=""),
    "token_create": do(
        P.HOME, "", sees=EVERYBODY, may=EVERYBODY, name="script", scopes="read", days="7", password=PASSWORD
    ),
    "token_revoke": do(P.HOME, "token", sees=frozenset({"employee"}), may=frozenset({"employee"})),
    "style": Address(P.HOME),
    "health_live": Address(None),
    "health_ready": Address(None),
    "account_login": Address(None, post=EVERYBODY),
    "account_logout": Address(None, post=EVERYBODY),
    "account_inactive": Address(None),
}


def patterns() -> Iterator[tuple[str, URLPattern]]:
    """(route, pattern) of everything in the urlconf except the API, which has a separate table."""
    yield from _inside(get_resolver().url_patterns, "")


def _inside(entries: list[Any], prefix: str) -> Iterator[tuple[str, URLPattern]]:
    for entry in entries:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            if not route.startswith("api/"):
                yield from _inside(entry.url_patterns, route)
        else:
            yield route, entry
