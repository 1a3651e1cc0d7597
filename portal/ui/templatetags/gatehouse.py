"""Template tags of the portal. They are built in, so no template loads them. The page /style shows each of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import heroicons
from django import template
from django.forms import BoundField
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from accounts.models import User
from portal.core import durations, refs
from portal.core.clock import now as moment_now
from portal.core.errors import Missing
from portal.ui import charts, links, tones, words

register = template.Library()
register.simple_tag(links.of_grant, name="grant_url")


@register.simple_tag
def icon(name: str, size: int = 20) -> SafeString:
    """A heroicon. Screen readers skip it, because the text beside it has the meaning."""
    style = "micro" if size <= 16 else "mini"
    return mark_safe(heroicons._render_icon(style, str(name), size, {"aria-hidden": "true", "focusable": "false"}))  # noqa: S308


@register.simple_tag
def chip(word: str, tone: str = "plain", icon_name: str = "") -> SafeString:
    """A word with a tone and an icon: {% chip "break-glass" "attention" "bolt" %}."""
    picture = icon(icon_name, 16) if icon_name else ""
    return format_html('<span class="chip" data-tone="{}">{}{}</span>', tone, picture, word)


@register.simple_tag
def status(thing: Any, field: str = "status") -> SafeString:
    """The status of a request, grant, operation, run, deployment; {% status event "outcome" %} for an audit event."""
    (tone, picture), word = tones.of(thing, field)
    return chip(word, tone, picture)


@register.simple_tag
def state(name: str | None) -> SafeString:
    """Airflow's state of a run or a task."""
    tone, picture = tones.of_state(name)
    return chip((name or "not started").replace("_", " "), tone, picture)


@register.simple_tag
def risk(level: str) -> SafeString:
    tone, picture = tones.RISKS[level]
    return chip(f"{level} risk", tone, picture)


@register.simple_tag
def when(moment: datetime | None, empty: str = "") -> SafeString | str:
    """A time in words, like `today, 17:00 CET`. The exact time is shown on hover and in print."""
    return _time(moment, words.spoken(moment)) if moment else empty


@register.simple_tag
def ago(moment: datetime | None, empty: str = "") -> SafeString | str:
    """A time relative to now, like `12 minutes ago`. The exact time is shown on hover and in print."""
    return _time(moment, words.ago(moment)) if moment else empty


def _time(moment: datetime, text: str) -> SafeString:
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), words.exact(moment), text)


@register.filter
def duration(span: timedelta | None) -> str:
    """`8 hours`, `1 day 2 hours`."""
    return durations.words(span) if span is not None else ""


@register.filter
def time_left(ends: datetime | None) -> str:
    return words.left(ends) if ends else ""


@register.filter
def clock(span: timedelta | float | None) -> str:
    """How long something took: `12 s`, `3 min 5 s`, `2 h 10 min`."""
    return words.clock(span) if span is not None else ""


@register.simple_tag
def person(user: User | None) -> SafeString | str:
    """A person's user name, with the full name on hover; `Gatehouse` for None."""
    if user is None:
        return "Gatehouse"
    name = user.get_full_name()
    return format_html('<bdi class="person" title="{}">{}</bdi>', name or user.username, user.username)


@register.filter
def called(user: User) -> str:
    """`lead (Lea Okafor)`; only the user name if the full name is unknown."""
    name = user.get_full_name()
    return f"{user.username} ({name})" if name else user.username


@register.filter
def values_in_short(conf: Mapping[str, Any], most: int = 160) -> str:
    """A run's parameters in one line: `region = EU, dry_run = false`."""
    said = ", ".join(
        f"{name} = {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in conf.items()
    )
    return said if len(said) <= most else f"{said[:most]}…"


@register.filter
def names(people: Iterable[User], last: str = "or") -> str:
    """`lead`, `lead or lead2`, `a, b or c`. Of more than six people, five are named and the others counted."""
    listed = [user.username for user in people]
    if len(listed) > 6:
        listed = [*listed[:5], f"{len(listed) - 5} others"]
    return f" {last} ".join(filter(None, [", ".join(listed[:-1]), *listed[-1:]]))


@register.filter
def at_most(number: int, most: int = 99) -> str:
    """The number, or `99+` if it is larger."""
    return str(number) if number <= most else f"{most}+"


@register.simple_tag
def ref(thing: Any) -> SafeString:
    """A reference, as a link if it has a page: a request, a run, or a grant (the page of its request)."""
    text = thing if isinstance(thing, str) else thing.ref
    url = _page_of(thing, text)
    if url:
        return format_html('<a class="mono" href="{}">{}</a>', url, text)
    return format_html('<span class="mono">{}</span>', text)


def _page_of(thing: Any, text: str) -> str:
    prefix = text.partition("-")[0]
    if prefix in (refs.GRANT, refs.PERMIT) and not isinstance(thing, str):
        return reverse("request_detail", args=[refs.ref(refs.REQUEST, thing.request_id)])
    page = {refs.REQUEST: "request_detail", refs.RUN: "run_detail"}.get(prefix)
    if page is None:
        return ""
    try:
        refs.parse(prefix, text)
    except Missing:
        return ""
    return reverse(page, args=[text])


@register.inclusion_tag("_parts/field.html")
def field(bound: BoundField, optional: bool | None = None) -> dict[str, Any]:
    """A form field with its label, hint and errors, and `(optional)` if it is not required.

    optional: replaces the field's own setting, for fields that an action requires.
    """
    kind = getattr(bound.field.widget, "input_type", "")
    return {"field": bound, "kind": kind, "optional": not bound.field.required if optional is None else optional}


@register.inclusion_tag("_parts/error_summary.html")
def error_summary(form: Any) -> dict[str, Any]:
    """All errors of a form, each as a link to its field. It takes the focus. Empty for a form without errors."""
    bound = [form[name] for name in form.fields]
    rows = [(one.id_for_label or one.auto_id, _named(one, text)) for one in bound for text in one.errors]
    return {"rows": rows, "general": list(form.non_field_errors())}


def _named(bound: BoundField, text: str) -> str:
    """An error with the label of its field, if the field asks for it (`is_named`) and the error does not name it."""
    is_named = getattr(bound.field, "is_named", False) and not text.startswith(str(bound.label))
    return f"{bound.label}: {text}" if is_named else text


@register.simple_tag
def time_bar(start: datetime | None, end: datetime | None) -> SafeString | str:
    """The remaining time of a grant as a bar."""
    return charts.time_bar(start, end, now=moment_now()) if start and end else ""


@register.simple_tag
def run_bars(runs: Iterable[Mapping[str, Any]]) -> SafeString | str:
    """The last runs of a DAG as bars, newest last: the height is the duration, the tone is the state.

    runs: `DagState.last_runs`.
    """
    return charts.run_bars(runs)
