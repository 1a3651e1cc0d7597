"""Filters of the trail as people and programs write them: a person's name in any spelling finds their events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from accounts import people
from portal.audit.queries import Filters


def parse(params: Mapping[str, str]) -> Filters:
    """`Filters.parse`, with the names of people as they are stored, which is how events name them. Raises Invalid."""
    found = Filters.parse(params)
    return replace(found, actor=people.as_stored(found.actor), target=people.as_stored(found.target))
