"""manage.py token create | revoke | list"""

from __future__ import annotations

from typing import Any

from accounts import people, tokens
from accounts.models import Token
from accounts.operator import Operator
from portal.audit.record import stamp
from portal.core import clock
from portal.core.errors import Invalid, Missing
from portal.setup.commands import SubcommandsCommand


class Command(SubcommandsCommand):
    help = "Create, revoke and list API tokens of people."

    def add_verbs(self, verbs: Any) -> None:
        create = self.add_verb(verbs, "create", "Create a token and print it. It is not shown again.")
        create.add_argument("--user", required=True, help="whose token it is")
        create.add_argument(
            "--scope", required=True, action="extend", nargs="+", dest="scopes", choices=list(tokens.SCOPES)
        )
        create.add_argument("--days", type=int, default=90, help=f"days until it expires, at most {tokens.MAX_DAYS}")
        create.add_argument("--name", default="made at the command line", help="the purpose of the token")
        revoke = self.add_verb(verbs, "revoke", "Revoke a token.")
        revoke.add_argument("token", help="its id, gh_<key>, as `token list` shows it; or its name, with --user")
        revoke.add_argument("--user", help="the owner, if the token is given by name")
        listing = self.add_verb(verbs, "list", "List tokens, newest first.")
        listing.add_argument("--user", help="only this person's")
        listing.add_argument("--json", action="store_true")

    def do_create(self, *, by: Operator, options: dict[str, Any]) -> None:
        owner = people.by_username(options["user"])
        _, plaintext = tokens.create(
            by=by, owner=owner, name=options["name"], scopes=options["scopes"], days=options["days"]
        )
        self.stdout.write(plaintext)

    def do_revoke(self, *, by: Operator, options: dict[str, Any]) -> None:
        self.stdout.write(f"{tokens.revoke(by=by, token_id=_found(options).pk)} revoked")

    def do_list(self, *, by: Operator, options: dict[str, Any]) -> None:
        rows = Token.objects.select_related("user").order_by("-created_at")
        if options["user"]:
            rows = rows.filter(user=people.by_username(options["user"]))
        lines = [_line(token) for token in rows]
        if options["json"]:
            self.as_json(lines)
            return
        for line in lines:
            used = line["last_used_at"] or "never"
            scopes = ",".join(line["scopes"])
            self.stdout.write(
                f"{line['token']}  {line['user']}  {line['status']} until {line['expires_at']}  "
                f"{scopes}  last used {used}  {line['name']}"
            )


def _found(options: dict[str, Any]) -> Token:
    """Raises Missing, Invalid (`token`) for a found token or an ambiguous name."""
    given, rows = options["token"].strip(), Token.objects.select_related("user")
    if found := tokens.KEY.search(given):
        said = "This contains a token's secret. Anybody who sees this command can use the token."
        raise Invalid({"token": f"{said} Use the token's id instead: gh_{found[1]}."})
    if options["user"]:
        rows = rows.filter(user=people.by_username(options["user"]))
    named = list(rows.filter(key=given.removeprefix("gh_")) if given.startswith("gh_") else rows.filter(name=given))
    live = [token for token in named if token.revoked_at is None and token.expires_at > clock.now()] or named
    if not live:
        raise Missing(f"There is no token “{given[:80]}”; `token list` shows them all.")
    if len(live) > 1:
        ids = ", ".join(f"{token} of {token.user.username}" for token in live[:10])
        raise Invalid({"token": f"“{given[:80]}” is the name of several: {ids}. Give the id of one."})
    return live[0]


def _line(token: Token) -> dict[str, Any]:
    status = "revoked" if token.revoked_at else "expired" if token.expires_at <= clock.now() else "valid"
    return {
        "token": str(token),
        "user": token.user.username,
        "name": token.name,
        "scopes": token.scopes,
        "status": status,
        "created_at": stamp(token.created_at),
        "expires_at": stamp(token.expires_at),
        "last_used_at": stamp(token.last_used_at) if token.last_used_at else None,
    }
