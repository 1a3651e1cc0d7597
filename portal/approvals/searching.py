"""What is searched of a request: the texts that its list shows, folded, as they were when it was made."""

from __future__ import annotations

from typing import TypeVar

from django.db.models import QuerySet

from portal.approvals import kinds
from portal.approvals.models import Request
from portal.core.text import fold, search_words

Row = TypeVar("Row", bound=Request)


def search_text(request: Request) -> str:
    """One text a line: reason, ticket, what was requested, and both people by user name, name and e-mail address."""
    texts = [request.reason, request.ticket, *kinds.of(request).searched(request)]
    for person in dict.fromkeys((request.requester, request.beneficiary)):
        texts += [person.username, person.get_full_name(), person.email]
    return fold("\n".join(texts))


def matching(rows: QuerySet[Row], q: str) -> QuerySet[Row]:
    """Those of `rows` that hold every word of `q`. Raises Invalid (`q`)."""
    for word in search_words(q):
        rows = rows.filter(search_text__contains=word)
    return rows
