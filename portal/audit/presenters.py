"""Every event as a sentence for people: who did what; and why it was refused or failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from portal.audit.models import UNREADABLE, AuditEvent
from portal.audit.record import SYSTEM
from portal.audit.sentences import CLAUSES, SENTENCES
from portal.audit.verbs import Verb
from portal.core import durations


class Columns(Protocol):
    """The columns that a sentence uses besides the detail; templates may name further columns."""

    @property
    def verb(self) -> str: ...
    @property
    def actor(self) -> str: ...
    @property
    def on_behalf_of(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def deployment(self) -> str: ...


def sentence(event: AuditEvent) -> str:
    """What happened, in one line of plain text. The caller escapes it."""
    return in_words(event, event.detail)


def in_words(event: Columns, said: Mapping[str, Any]) -> str:
    """`sentence`, for an event of which only the columns and the detail exist."""
    try:
        template = SENTENCES[Verb(event.verb)]
    except ValueError:  # written by a later version
        return _bare(event)
    try:
        words = " ".join(template.format_map(_Words(event, said)).split())
    except UNREADABLE:  # not written by Gatehouse
        return _bare(event)
    return f"{words} ({said['repeats']} more times within a minute)" if "repeats" in said else words


def _bare(event: Columns) -> str:
    return f"{event.actor}: {event.verb} {event.target}"


class _Words(dict[str, str]):
    """Resolves a name in a template when it is needed: a clause, a column, or a key of the detail."""

    def __init__(self, event: Columns, said: Mapping[str, Any]) -> None:
        super().__init__()
        self.event, self.said = event, said

    def __missing__(self, name: str) -> str:
        if name in SPECIAL:
            return SPECIAL[name](self.event, self.said)
        if name in CLAUSES:
            key, joined = CLAUSES[name]
            value = _plain(self.said.get(key))
            return joined.format(value) if value and not (key == "beneficiary" and value == self.event.actor) else ""
        if name in self.said:
            return _plain(self.said[name]) or "nothing"
        return str(getattr(self.event, name, "")) or "something"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return "" if value is None else str(value)


def _actor(event: Columns, said: Mapping[str, Any]) -> str:
    name = "Gatehouse" if event.actor == SYSTEM else event.actor
    return f"{name} for {event.on_behalf_of}" if event.on_behalf_of else name


def _duration(event: Columns, said: Mapping[str, Any]) -> str:
    try:
        return f" for {durations.words(durations.parse(str(said.get('duration', ''))))}"
    except ValueError:
        return ""


def _asked_for(event: Columns, said: Mapping[str, Any]) -> str:
    """The access, the variable with its new value, or the run with its parameters."""
    if "variable" in said:
        return f"the variable {_variable_words(said['variable'])} to be {_plain(said.get('value')) or 'an empty text'}"
    if "dag" not in said:
        return _plain(said.get("entitlement")) or "something"
    if "bounds" in said:
        return f"a permit for {said.get('runs')} runs of {said['dag']} within {_plain(said['bounds'])}"
    later = f", to start {said['start_at']}" if said.get("start_at") else ""
    return f"a run of {said['dag']} with {_plain(said.get('conf')) or 'unknown parameters'}{later}"


def _break_glass(event: Columns, said: Mapping[str, Any]) -> str:
    return ": break-glass" if said.get("break_glass") else ""


def _by_break_glass(event: Columns, said: Mapping[str, Any]) -> str:
    return " by break-glass" if said.get("break_glass") else ""


def _before_after(event: Columns, said: Mapping[str, Any]) -> str:
    if "before" not in said or "after" not in said:
        return ""
    return f": from {_plain(said['before']) or 'none'} to {_plain(said['after']) or 'none'}"


def _roles_before_after(event: Columns, said: Mapping[str, Any]) -> str:
    before, after = ({*said.get(when, {}).get("roles", [])} for when in ("before", "after"))
    gained, lost = ", ".join(sorted(after - before)), ", ".join(sorted(before - after))
    changes = [part for part in (gained and f"gave {gained}", lost and f"took {lost} away") if part]
    return f": {' and '.join(changes)}" if changes else ""


def _variable(event: Columns, said: Mapping[str, Any]) -> str:
    """`demo/variable/report_mode` in words."""
    return _variable_words(event.target)


def _variable_words(name: Any) -> str:
    deployment, _, key = str(name).partition("/variable/")
    return f"{key} on {deployment}" if key else str(name)


def _lapsed_because(event: Columns, said: Mapping[str, Any]) -> str:
    """Events of early releases have no reason: at that time a request lapsed only because nobody decided it."""
    return _plain(said.get("why")) or "it was not decided in time"


def _role_now(event: Columns, said: Mapping[str, Any]) -> str:
    where = event.deployment
    if said.get("given") is False:
        return f"nothing had been given in Airflow on {where}"
    kept_for = _plain(said.get("kept_for"))
    return f"Airflow on {where} {f'keeps the role for {kept_for}' if kept_for else 'no longer shows the role'}"


def _first_problem(event: Columns, said: Mapping[str, Any]) -> str:
    problems = said.get("problems")
    return str(problems[0]) if problems else f"the first wrong event is {said.get('first_bad', 'not known')}"


def _carried(event: Columns, said: Mapping[str, Any]) -> str:
    if said.get("verified") is True:
        return ", verified"
    return f", and found changes: {_first_problem(event, said)}" if said.get("problems") else ""


SPECIAL = {
    "asked_for": _asked_for,
    "carried": _carried,
    "first_problem": _first_problem,
    "lapsed_because": _lapsed_because,
    "role_now": _role_now,
    "actor": _actor,
    "variable": _variable,
    "duration": _duration,
    "break_glass": _break_glass,
    "by_break_glass": _by_break_glass,
    "before_after": _before_after,
    "roles_before_after": _roles_before_after,
}
