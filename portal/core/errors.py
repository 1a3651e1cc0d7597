"""The errors with which Gatehouse refuses something.

Actions raise them; web and API turn them into an answer. `reason` is a stable word for programs. `detail` is one or two
sentences for people: what was refused, why, and what to do instead. `detail` may repeat what was typed, so token
secrets are hidden in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import ParamSpec

from portal.core.token_text import hide_tokens

Arguments = ParamSpec("Arguments")


class GatehouseError(Exception):
    """Base of all errors that web and API turn into an answer. `status` is the HTTP status."""

    status = 400
    title = "Not possible"
    recorded = False  # whether the audit trail already has an event of this refusal

    def __init__(self, detail: str, *, reason: str) -> None:
        self.detail = hide_tokens(detail)
        super().__init__(self.detail)
        self.reason = reason


class Refused(GatehouseError):
    """The person may not do this (403): `own_request`, `not_an_approver`, `not_eligible`, `scope`, ..."""

    status = 403
    title = "Not allowed"


class Missing(GatehouseError):
    """The object does not exist, or the person may not know that it exists (404)."""

    status = 404
    title = "Not found"

    def __init__(self, detail: str, *, reason: str = "not_found") -> None:
        super().__init__(detail, reason=reason)


class Conflict(GatehouseError):
    """Another person or process was faster (409). `detail` says who and when."""

    status = 409
    title = "Already settled"

    def __init__(self, detail: str, *, reason: str = "conflict") -> None:
        super().__init__(detail, reason=reason)


class Invalid(GatehouseError):
    """The input is not valid (422). `fields` maps a field's name to a description of the error."""

    status = 422
    title = "Check what you entered"

    def __init__(self, fields: Mapping[str, str], *, reason: str = "invalid") -> None:
        super().__init__(" ".join(fields.values()), reason=reason)
        self.fields = {name: hide_tokens(said) for name, said in fields.items()}


class Wrong(dict[str, str]):
    """The errors of several checks by field, so that all wrong fields are named at once."""

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Adds the fields of an Invalid that the block raises. The first error of a field is kept."""
        try:
            yield
        except Invalid as error:
            for name, said in error.fields.items():
                self.setdefault(name, said)

    def check(self) -> None:
        """Raises Invalid with all of them, if there is one."""
        if self:
            raise Invalid(self)


def why_not(check: Callable[Arguments, object], *args: Arguments.args, **kwargs: Arguments.kwargs) -> str:
    """The reason why `check` refuses, in words; empty if it does not refuse."""
    try:
        check(*args, **kwargs)
    except Refused as refusal:
        return refusal.detail
    return ""
