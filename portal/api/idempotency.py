"""Idempotency keys: a POST that is repeated with its `Idempotency-Key` gets the first answer and changes nothing.

The row of the key is inserted in the transaction of the call. A second call at the same time waits for that row until
the first one is committed, and then finds its answer. A crash rolls back both the row and the changes.
Only successful calls are stored: a refused call may be repeated with its key and is executed again. The same key with
another address or another body is a conflict, and nothing is changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import wraps
from typing import Any

from django.db import IntegrityError, transaction
from ninja import Status

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
SWEPT = 100  # expired keys that are deleted with each new one


def once(operation: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a call of the API. Only a POST with a key is treated differently.

    Raises Invalid (`Idempotency-Key`) for a malformed key, Conflict (`idempotency_key_reused`).
    """

    @wraps(operation)
    def wrapped(request: ApiRequest, *args: Any, **kwargs: Any) -> Any:
        key = request.headers.get(HEADER)
        if request.method != "POST" or key is None:
            return operation(request, *args, **kwargs)
        key = _checked(key)
        with recording():
            row = _claim(request, key)
            if row.answer is not None:
                check_actor(request.auth.user, refusal=Verb.PAGE_REFUSED, target=f"POST {request.path}")
                request.api_replayed = True  # type: ignore[attr-defined]
                return Status(row.http_status, row.answer) if row.http_status else row.answer
            result = operation(request, *args, **kwargs)
            body = result.value if isinstance(result, Status) else result
            row.http_status = result.status_code if isinstance(result, Status) else None
            row.answer = body.model_dump(mode="json")
            row.save(update_fields=["answer", "http_status"])
            return result

    return wrapped


def _checked(key: str) -> str:
    if not 1 <= len(key) <= LONGEST or not key.isascii() or not key.isprintable():
        raise Invalid({HEADER: f"A key has 1 to {LONGEST} printable ASCII characters."})
    return key


def _claim(request: ApiRequest, key: str) -> IdempotencyKey:
    """The row of the key: a new one, or the row of the first call with its answer."""
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
    """The digest of the address and the body. Whitespace and the order of fields in the JSON do not count."""
    body: bytes = request.body
    with suppress(ValueError, RecursionError):  # a body that is not JSON is compared byte by byte
        body = json.dumps(json.loads(body), sort_keys=True).encode()
    said = f"{request.method} {request.get_full_path()}\n{body.decode('utf-8', 'backslashreplace')}"
    return sealing.digest(said)  # a keyed digest, because the body may contain secret parameters


def _sweep(user_id: int, key: str, *, before: Any) -> None:
    IdempotencyKey.objects.filter(user=user_id, key=key, created_at__lt=before).delete()
    # skip_locked: two sweeps must not wait for each other
    old = IdempotencyKey.objects.filter(created_at__lt=before).select_for_update(skip_locked=True)
    IdempotencyKey.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:SWEPT])).delete()
