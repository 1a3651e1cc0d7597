"""manage.py audit verify | export"""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from accounts import trail_filters
from accounts.acting import check_actor
from accounts.operator import Operator
from accounts.permissions import Permission
from portal.audit import export, verify
from portal.audit.queries import Filters
from portal.audit.verbs import Verb
from portal.core.errors import Invalid
from portal.setup.commands import Refusal, SubcommandsCommand


class Command(SubcommandsCommand):
    needs = Permission.AUDIT
    help = "Verify or export the audit trail."

    def add_verbs(self, verbs: Any) -> None:
        looking = self.add_verb(
            verbs,
            "verify",
            "Verify the trail, and compare requests, grants and runs with it. Exit code 1 if anything is wrong.",
        )
        looking.add_argument("--json", action="store_true")
        giving = self.add_verb(verbs, "export", "Write the matching events, oldest first.")
        giving.add_argument("--format", choices=list(export.FORMS), default="jsonl", help="default: jsonl")
        giving.add_argument("--no-bom", action="store_true", help="CSV without the byte-order mark that Excel needs")
        giving.add_argument("--output", type=Path, metavar="FILE", help="default: standard output")
        for field in fields(Filters):
            giving.add_argument(f"--{field.name}", dest=f"only_{field.name}", default="", metavar=field.name.upper())

    def do_verify(self, *, by: Operator, options: dict[str, Any]) -> None:
        by = check_actor(by, refusal=Verb.COMMAND_REFUSED, target="audit verify")
        found = verify.verify_and_record(by=by)
        head = {"seq": found.head_seq, "hash": found.head_hash}
        if options["json"]:
            answer = {"ok": found.ok, "events": found.events, "rows": found.rows, "head": head}
            self.as_json({**answer, "first_bad": found.first_bad, "problems": found.problems})
            if not found.ok:
                sys.exit(1)
            return
        if not found.ok:
            raise Refusal("\n".join(["The database was changed without Gatehouse.", *found.problems]))
        self.stdout.write(f"{found.events} of {found.events_in_all} events verified, no change found.")
        self.stdout.write(
            f"The database still protects the trail; {found.rows} requests, grants and runs match the trail."
        )
        kept = f"{head['seq']} {head['hash']}"
        self.stdout.write(f"Store this where nobody with rights on the database can write: {kept}")

    def do_export(self, *, by: Operator, options: dict[str, Any]) -> None:
        try:
            filters = trail_filters.parse({field.name: options[f"only_{field.name}"] for field in fields(Filters)})
        except Invalid as error:
            wrong = [f"--{name}: {words}" for name, words in error.fields.items()]
            raise CommandError("\n".join(wrong), returncode=2) from error
        by = check_actor(by, refusal=Verb.COMMAND_REFUSED, target="audit export")
        target: Path | None = options["output"]
        try:
            # opened before the event is recorded: if the file cannot be written, there is no export
            out = target.open("w", encoding="utf-8", newline="") if target else None
        except OSError as error:
            raise Refusal(f"{target} cannot be written: {error.strerror}.") from error
        made = export.export(by=by, filters=filters, form=options["format"], bom=not options["no_bom"])
        if out is None:
            for chunk in made.chunks:
                self.stdout.write(chunk, ending="")
            return
        with out:
            out.writelines(made.chunks)
        self.stdout.write(f"{made.rows} events written to {target}")
