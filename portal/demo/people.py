"""The demo's people, and creating them and their tokens."""

from __future__ import annotations

from accounts import enrolment, tokens
from accounts.models import User
from accounts.operator import Operator, at_the_command_line
from portal.demo import place

PASSWORD = "gatehouse-demo"  # noqa: S105 - the demo's password, on loopback only, and printed at its start
BY = Operator("demo")
PEOPLE: dict[str, tuple[str, list[str]]] = {
    "employee": ("Emma Reyes", ["data"]),
    "colleague": ("Colin Park", ["data", "sales"]),
    "lead": ("Lea Okafor", ["data", "data-leads"]),
    "lead2": ("Liam Novak", ["data", "data-leads"]),
    "security": ("Sena Ito", ["security"]),
    "auditor": ("Aude Martin", ["auditors"]),
    "admin": ("Adam Lind", ["admins"]),
}


def enrol_all() -> None:
    """Existing people keep their password: hashing seven passwords takes longer than everything else."""
    known = set(User.objects.values_list("username", flat=True))
    with at_the_command_line():
        for username, (name, groups) in PEOPLE.items():
            email, password = f"{username}@example.com", None if username in known else PASSWORD
            enrolment.enrol(by=BY, username=username, email=email, name=name, groups=groups, password=password)


def token_of(user: User) -> str:
    """A token with all scopes that `user` may use. A token of an earlier start is used again if it is still valid."""
    known: str = place.kept(f"token of {user.username}", make=str)
    wanted = tokens.allowed_scopes(user)
    token = tokens.authenticate(known) if known else None
    if token is not None and token.user == user and set(token.scopes) == set(wanted):
        return known
    with at_the_command_line():
        _, plaintext = tokens.create(by=BY, owner=user, name="demo", scopes=wanted, days=tokens.MAX_DAYS)
    place.keep(f"token of {user.username}", plaintext)
    return plaintext
