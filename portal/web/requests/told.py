"""The message on the page of a request that was sent."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest

from portal.web.kinds import registry
from portal.web.requests import words


def of_sending(request: HttpRequest, made: Any) -> None:
    """made: the request as its action returned it. A message that people must not overlook is a warning."""
    if made.sent_again:
        messages.warning(request, words.sent_again(made))
    elif registry.of(made).is_stopped(made):
        messages.warning(request, words.sent(made))
    else:
        messages.success(request, words.sent(made))
