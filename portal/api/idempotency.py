"""POSTs that may be sent twice: with `Idempotency-Key`, the second one gets the first one's answer and does nothing.

The key's row is inserted in the same transaction as what the call does. A twin at the same moment therefore waits at
the row until the first call is committed, and then finds its answer; a crash leaves neither the row nor the effect.
Only what was done is kept: a refused call may be sent again with its key, and is decided anew. The same key with
another address or other content is a conflict: nothing is done, and what the first call did is not told as the
second one's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import wraps
from typing import Any

from django.db import IntegrityError, transaction
from pydantic import BaseModel

from accounts.acting import check_actor
from portal.api.auth import ApiRequest
from portal.api.models import IdempotencyKey
from portal.audit.record import recording
from portal.audit.verbs import Verb
from portal.core import clock, durations, sealing
from portal.core.errors import Conflict, Invalid

HEADER = "Idempotency-Key"
KEPT = timedelta(hours=24)
LONGEST = 200
SWEPT = 100  # old keys removed with each new one


def once(operation: Callable[..., BaseModel]) -> Callable[..., BaseModel | dict[str, Any]]:
    """Wrap every operation of the API; only POSTs that name a key are concerned.

    Raises Invalid (`Idempotency-Key`) for what is no key, Conflict (`idempotency_key_reused`).
    """

    @wraps(operation)
    def wrapped(request: ApiRequest, *args: Any, **kwargs: Any) -> BaseModel | dict[str, Any]:
        key = request.headers.get(HEADER)
        if request.method != "POST" or key is None:
            return operation(request, *args, **kwargs)
        key = _checked(key)
        with recording():
            row = _claim(request, key)
            if row.answer is not None:
                check_actor(request.auth.user, refusal=Verb.PAGE_REFUSED, target=f"POST {request.path}")
                request.api_replayed = True  # type: ignore[attr-defined]
                return row.answer
            result = operation(request, *args, **kwargs)
            row.answer = result.model_dump(mode="json")
            row.save(update_fields=["answer"])
            return result

    return wrapped


def _checked(key: str) -> str:
    if not 1 <= len(key) <= LONGEST or not key.isascii() or not key.isprintable():
        raise Invalid({HEADER: f"A key has 1 to {LONGEST} printable ASCII characters."})
    return key


def _claim(request: ApiRequest, key: str) -> IdempotencyKey:
    """The key's row: a new one, or the one of the call that was first, with its answer."""
    user, now = request.auth.user, clock.now()
    _sweep(user.pk, key, before=now - KEPT)
    digest = _digest(request)
    try:
        with transaction.atomic():
            return IdempotencyKey.objects.create(user=user, key=key, digest=digest, created_at=now)
    except IntegrityError:
        row = IdempotencyKey.objects.get(user=user, key=key)
    if row.digest != digest:
        raise Conflict(
            f"This {HEADER} was used {durations.ago(row.created_at)} for a call with another address or other content. "
            "Nothing was done. Use a new key for each new call.",
            reason="idempotency_key_reused",
        )
    return row


def _digest(request: ApiRequest) -> str:
    """Of what is asked: the address and the body, however its JSON is laid out."""
    body: bytes = request.body
    with suppress(ValueError, RecursionError):  # what is no JSON was refused before, or is compared as it came
        body = json.dumps(json.loads(body), sort_keys=True).encode()
    said = f"{request.method} {request.get_full_path()}\n{body.decode('utf-8', 'backslashreplace')}"
    return sealing.digest(said)  # by a key of ours: the body may hold secret parameters


def _sweep(user_id: int, key: str, *, before: Any) -> None:
    IdempotencyKey.objects.filter(user=user_id, key=key, created_at__lt=before).delete()
    # skipping what others sweep at this moment: two sweeps must not wait for each other
    old = IdempotencyKey.objects.filter(created_at__lt=before).select_for_update(skip_locked=True)
    IdempotencyKey.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:SWEPT])).delete()
