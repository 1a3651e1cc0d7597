"""How the pages show a request kind. Each kind has a module here and its parts in templates/requests and
templates/queue."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.http import QueryDict

from accounts.models import User
from portal.catalogue.document import PolicySpec
from portal.web.action_forms import ActionForm


class Display:
    """One request kind on the pages. `request` is always a row of the kind, from portal.approvals.queries.full."""

    name: str
    """Of the kind, and of the folders with its parts of pages: `_act.html`, `_again.html` and `_facts.html` of the
    request's page, `_facts.html`, `_approve.html` of the queue."""
    on_its_way: Q
    """Requests of this kind that are not decided yet, or whose result is still to come."""
    held: Q
    """Requests of this kind whose result is held now."""
    closed: Q
    """Requests of this kind that are over."""

    def title(self, request: Any) -> str:
        """The requested thing for a row of a list."""
        raise NotImplementedError

    def short_title(self, request: Any) -> str:
        """The requested thing for a row of the queue, which shows the amount, too."""
        return self.title(request)

    def amount(self, request: Any) -> str:
        """How much of it, in few words, for a row of the queue; empty if there is nothing to say."""
        return ""

    def state(self, request: Any) -> tuple[Any, str]:
        """The row and its column with the present status."""
        return request, "status"

    def standing(self, request: Any, reader: User) -> str:
        """The state of an approved request, and what it means."""
        raise NotImplementedError

    def sent(self, request: Any) -> str:
        """The message after a request was sent that needs no decision."""
        raise NotImplementedError

    def is_stopped(self, request: Any) -> bool:
        """Whether an approved request came to nothing, so that its message is a warning."""
        return False

    def starts_at(self, request: Any) -> datetime | None:
        """The wished start; None: as soon as approved."""
        raise NotImplementedError

    def mark_words(self, request: Any) -> str:
        """A mark that everybody must see, such as break-glass; empty: none."""
        return ""

    def page(self, request: Any, reader: User) -> dict[str, Any]:
        """The data that only this kind has on the request's page, for its templates.

        `operations`: in Airflow. `may`: the actions of the reader, by name. `time_left`: the active grant, or None.
        """
        raise NotImplementedError

    def reload_seconds(self, request: Any) -> int:
        """After how many seconds the page of an approved request loads it again; 0 if nothing can change any more."""
        return 0

    def shows(self, request: Any) -> list[str]:
        """What the page shows besides the status and the timeline. If it changes, the page is loaded again."""
        return []

    def again_form(self, request: Any, policy: PolicySpec, data: QueryDict | None = None) -> ActionForm:
        """The form that changes a returned request and sends it again. `given()`: the arguments of the action."""
        raise NotImplementedError

    def facts(self, request: Any, reader: User) -> Any:
        """The facts that only this kind has in the queue."""
        raise NotImplementedError

    def conflict(self, request: Any) -> str:
        """In words, what prevents every approval now; empty if nothing does."""
        return ""

    def outcome(self, request: Any, asked: timedelta | None) -> str:
        """What happened and what happens next after the approval."""
        raise NotImplementedError
