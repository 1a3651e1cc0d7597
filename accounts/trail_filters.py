"""Filters of the audit trail as people and programs write them. A person's name may have any spelling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from accounts import people
from portal.audit.queries import Filters
from portal.core import refs


def parse(params: Mapping[str, str]) -> Filters:
    """`Filters.parse`, with people's names in their stored spelling, which the events use. Raises Invalid."""
    found = Filters.parse(params)
    return replace(
        found,
        actor=people.as_stored(found.actor),
        target=people.as_stored(found.target),
        about=_as_stored(found.about),
    )


def _as_stored(about: str) -> str:
    """The stored spelling for `person:employee`, and for a bare name, which may be a person's."""
    kind, colon, name = about.partition(":")
    if colon and kind.lower() == refs.PERSON:
        return refs.person(people.as_stored(name))
    return about if colon else people.as_stored(about)
