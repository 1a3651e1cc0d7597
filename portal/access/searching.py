"""What is searched of a request: the texts that its list shows, folded, as they were when it was made."""

from __future__ import annotations

from django.db.models import QuerySet

from portal.access.models import AccessRequest
from portal.core.text import fold, search_words


def search_text(request: AccessRequest) -> str:
    """One text a line: reason, ticket, what was asked for, and both people by user name, name and e-mail address."""
    entitlement = request.entitlement
    people = dict.fromkeys((request.requester, request.beneficiary))
    texts = [request.reason, request.ticket, entitlement.key, entitlement.title]
    for person in people:
        texts += [person.username, person.get_full_name(), person.email]
    return fold("\n".join(texts))


def matching(rows: QuerySet[AccessRequest], q: str) -> QuerySet[AccessRequest]:
    """Those of `rows` that hold every word of `q`. Raises Invalid (`q`)."""
    for word in search_words(q):
        rows = rows.filter(search_text__contains=word)
    return rows
