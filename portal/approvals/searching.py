"""Searching requests: in the texts that the list shows, folded and stored when the request was sent."""

from __future__ import annotations

from typing import TypeVar

from django.db.models import QuerySet

from portal.approvals import kinds
from portal.approvals.models import Request
from portal.core.text import fold, search_words

Row = TypeVar("Row", bound=Request)


def search_text(request: Request) -> str:
    """One text per line: reason, ticket, the texts of the kind, and the user name, name and e-mail address of both
    people."""
    texts = [request.reason, request.ticket, *kinds.of(request).search_texts(request)]
    for person in dict.fromkeys((request.requester, request.beneficiary)):
        texts += [person.username, person.get_full_name(), person.email]
    return fold("\n".join(texts))


def matching(rows: QuerySet[Row], q: str) -> QuerySet[Row]:
    """The part of `rows` that contains every word of `q`. Raises Invalid (`q`)."""
    for word in search_words(q):
        rows = rows.filter(search_text__contains=word)
    return rows
