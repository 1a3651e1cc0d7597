"""The frame around every page: navigation, the number of waiting decisions, deployments that are down.

Each part is computed only if a template uses it, so fragments for htmx compute none of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from accounts import people, roles
from accounts.models import User
from accounts.permissions import Permission as P
from accounts.permissions import Role
from portal.airflow import states
from portal.airflow.models import DeploymentState
from portal.airflow.states import state_of
from portal.approvals import queries as approvals
from portal.catalogue.models import Deployment
from portal.dags.models import Run
from portal.dags.runs import run_notices
from portal.ui import words


@dataclass(frozen=True)
class Place:
    """An entry of the navigation. current: "page" on the page itself, "true" on a page below it."""

    name: str
    title: str
    short: str
    icon: str
    url: str
    current: str = ""
    count: int = 0


@dataclass(frozen=True)
class Group:
    title: str
    places: list[Place]


# URL name, title, short title, icon, permission, beginnings of the addresses of pages below it
MAP: list[tuple[str, list[tuple[str, str, str, str, P, tuple[str, ...]]]]] = [
    (
        "",
        [
            ("home", "Home", "Home", "home", P.HOME, ()),
            ("queue", "Queue", "Queue", "inbox-arrow-down", P.DECIDE, ("/queue/",)),
        ],
    ),
    (
        "Access",
        [
            ("request_new", "Request access", "Request", "plus-circle", P.REQUEST, ()),
            ("request_list", "My requests", "Requests", "clipboard-document-list", P.HOME, ()),
            ("access", "My access", "Access", "key", P.HOME, ()),
        ],
    ),
    ("Airflow", [("dag_list", "DAGs", "DAGs", "play-circle", P.OPERATE, ("/dags/", "/runs/", "/variables"))]),
    (
        "Oversight",
        [
            ("audit", "Audit trail", "Audit", "document-magnifying-glass", P.AUDIT, ()),
            ("deployment_list", "Deployments", "Deployments", "server-stack", P.SEE_DEPLOYMENTS, ("/deployments/",)),
        ],
    ),
]
# the people on the sign-in page of the demo, and what each of them can show
DEMO_PEOPLE = {
    "employee": "requests access to Airflow",
    "colleague": "requests access and runs the DAGs of group sales",
    "lead": "decides as a data lead",
    "lead2": "the other data lead",
    "security": "decides the second step of high-risk access",
    "auditor": "reads and verifies the audit trail",
    "admin": "manages the deployments",
}
DEMO_PASSWORD = "gatehouse-demo"  # noqa: S105 - the demo's, documented, and not a secret
# the bar on a phone has four places: home, the first two of these that the person may open, and their access
BAR = ("queue", "audit", "deployment_list", "request_new", "dag_list")

LIMIT = "A run fails if it cannot start within 1 hour; access fails after the time that its policy sets."
# if Airflow refuses only one account, the operations of the other one continue
REFUSED = {"granter": ("account for access", "Requested access"), "runner": ("account for runs", "Runs and pauses")}


def trouble(deployment: Deployment) -> str:
    """The problem of a deployment and what it means for the reader; empty if there is none."""
    state = state_of(deployment)
    since = f" since {words.spoken(state.status_since)}" if state.status_since else ""
    if state.status == state.Status.DOWN:
        away = f"Airflow on {deployment.name} is unreachable{since}."
        return f"{away} Requested access and runs wait until Airflow answers. {LIMIT}"
    if state.status == state.Status.NEEDS_REAUTHENTICATION:
        refused = [account for account in deployment.accounts if state.refuses(account)]
        which, what = REFUSED.get(refused[0] if len(refused) == 1 else "", ("account", "Requested access and runs"))
        return (
            f"Airflow on {deployment.name} refuses Gatehouse's {which}{since}. "
            f"{what} must wait until an admin has renewed the account. {LIMIT}"
        )
    if deployment.read_only:
        return (
            f"Airflow on {deployment.name} is read-only: Gatehouse changes nothing there now. Access can be requested "
            "and decided; it is given and removed when an admin has switched read_only off."
        )
    return ""


class Frame:
    """The frame around one page of one person."""

    def __init__(self, request: HttpRequest) -> None:
        self.user = request.user
        match = request.resolver_match
        self.here = match.url_name if match else ""
        self.address = request.path_info

    @cached_property
    def groups(self) -> list[Group]:
        if not self.user.is_authenticated:
            return []
        groups = [
            Group(title, [self._place(*entry) for entry in entries if roles.has(self.user, entry[4])])
            for title, entries in MAP
        ]
        return [group for group in groups if group.places]

    def _place(self, name: str, title: str, short: str, icon: str, _: P, below: tuple[str, ...]) -> Place:
        current = "page" if self.here == name else "true" if self.address.startswith(below) else ""
        count = self.waiting if name == "queue" else self.locked_out if name == "deployment_list" else 0
        return Place(name, title, short, icon, reverse(name), current, count)

    @cached_property
    def _by_name(self) -> dict[str, Place]:
        return {place.name: place for group in self.groups for place in group.places}

    @cached_property
    def bar(self) -> list[Place]:
        first = [name for name in BAR if name in self._by_name][:2]
        return [self._by_name[name] for name in ("home", *first, "access") if name in self._by_name]

    @cached_property
    def others(self) -> list[Place]:
        """The places that are not in the bar."""
        return [place for place in self._by_name.values() if place not in self.bar]

    @cached_property
    def waiting(self) -> int:
        """How many requests wait for this person's decision."""
        if not isinstance(self.user, User) or not roles.has(self.user, P.DECIDE):
            return 0
        return approvals.count_for(self.user)

    @cached_property
    def locked_out(self) -> int:
        """How many deployments refuse Gatehouse's account; 0 for people who cannot renew it."""
        if not roles.has(self.user, P.REPAIR):
            return 0
        return states.in_trouble().filter(state__status=DeploymentState.Status.NEEDS_REAUTHENTICATION).count()

    @cached_property
    def troubles(self) -> list[str]:
        """The problems of deployments, in words."""
        if not self.user.is_authenticated:
            return []
        return [trouble(deployment) for deployment in states.in_trouble()]

    @cached_property
    def run_notices(self) -> list[Run]:
        """The ended runs that the reader wanted to be told of and has not marked as read."""
        return run_notices.unread(self.user) if isinstance(self.user, User) else []

    @cached_property
    def demo_people(self) -> list[dict[str, str]]:
        """The people on the sign-in page of the demo; empty elsewhere."""
        if not settings.DEMO:
            return []
        there = {person.username for person in people.members(f"user:{name}" for name in DEMO_PEOPLE)}
        return [{"username": name, "words": words} for name, words in DEMO_PEOPLE.items() if name in there]

    @property
    def demo_password(self) -> str:
        return DEMO_PASSWORD if settings.DEMO else ""

    @cached_property
    def initials(self) -> str:
        parts = self.user.name.split() if isinstance(self.user, User) else []
        return "".join(part[0] for part in parts[:2]).upper()

    @cached_property
    def roles(self) -> str:
        """The roles of the portal beyond employee, in words."""
        return ", ".join(sorted(role for role in roles.roles_of(self.user) if role != Role.EMPLOYEE))


def context(request: HttpRequest) -> dict[str, Any]:
    return {"frame": Frame(request)}
