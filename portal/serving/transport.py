"""The embedded broker: a kombu transport over a folder, for one machine, without another service.

A message is one file. The publisher writes it in another folder and renames it into `ready`, so nobody reads an
incomplete message. A consumer claims a message by renaming it into its own folder, and deletes it when the task is
acknowledged. A consumer holds a lock on its folder while it runs. The next consumer that starts puts back the claims of
dead consumers, and only those. All folders are on one file system, so every step is one atomic rename. A power cut may
lose messages (there is no fsync): they are only hints, and the periodic sweep finds operations without a message.

kombu's own filesystem transport does none of this: it writes in place and deletes before the task runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
import time
import uuid
from collections import deque
from pathlib import Path
from queue import Empty
from typing import Any
from urllib.parse import quote

from kombu.transport import virtual
from kombu.utils.json import dumps, loads

log = logging.getLogger(__name__)

STALE_DRAFT = 3600  # seconds after which the publisher of an unfinished message is dead


class Folder:
    """The broker's folders on disk, and the claims of one consumer."""

    def __init__(self, root: Path) -> None:
        self.ready, self.drafts = root / "ready", root / "drafts"
        self.claimed, self.undecodable = root / ".claimed", root / "undecodable"
        for folder in (root, self.ready, self.drafts, self.claimed, self.undecodable):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._mine: Path | None = None
        self._lock: int | None = None
        self._seen: dict[str, deque[str]] = {}

    def publish(self, queue: str, payload: str) -> None:
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex}.{quote(queue, safe='')}"
        draft = self.drafts / name
        draft.touch(mode=0o600, exist_ok=False)
        draft.write_text(payload, encoding="utf-8")
        draft.replace(self.ready / name)

    def names(self, queue: str) -> list[str]:
        """The queue's waiting messages, oldest first."""
        quoted = quote(queue, safe="")
        return sorted(path.name for path in self.ready.iterdir() if path.name.partition(".")[2] == quoted)

    def claim(self, queue: str) -> Path | None:
        """Take the oldest waiting message. None when there is none."""
        folder = self._own()
        # one listing serves many claims: with thousands of messages, a listing per claim would cost more than the work
        seen = self._seen.get(queue) or deque(self.names(queue))
        self._seen[queue] = seen
        while seen:
            name = seen.popleft()
            with contextlib.suppress(FileNotFoundError):  # another consumer was faster
                return (self.ready / name).rename(folder / name)
        return None

    def give_back(self, claim: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            claim.rename(self.ready / claim.name)

    def set_aside(self, claim: Path) -> None:
        claim.rename(self.undecodable / claim.name)

    def purge(self, queue: str) -> int:
        names = self.names(queue)
        for name in names:
            (self.ready / name).unlink(missing_ok=True)
        return len(names)

    def recover(self) -> int:
        """Put back the messages that dead consumers had claimed. Returns the number of messages."""
        count = 0
        for folder in list(self.claimed.iterdir()):
            if folder == self._mine or (lock := _lock(folder)) is None:
                continue
            for claim in list(folder.iterdir()):
                self.give_back(claim)
                count += 1
            with contextlib.suppress(OSError):
                folder.rmdir()
            os.close(lock)
        for draft in list(self.drafts.iterdir()):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - draft.stat().st_mtime > STALE_DRAFT:
                    draft.unlink()
        return count

    def close(self) -> None:
        """Delete this consumer's folder. Messages in it are put back."""
        if self._mine is not None and self._lock is not None:
            for claim in list(self._mine.iterdir()):
                self.give_back(claim)
            self._mine.rmdir()
            os.close(self._lock)
            self._mine = self._lock = None

    def _own(self) -> Path:
        while self._mine is None:
            folder = self.claimed / f"{os.getpid()}-{uuid.uuid4().hex}"
            folder.mkdir(mode=0o700)
            # a consumer that starts at this moment may take the empty folder for that of a dead one and remove it
            if (lock := _lock(folder)) is not None:
                if folder.exists():
                    self._mine, self._lock = folder, lock
                else:
                    os.close(lock)
        return self._mine


def _lock(folder: Path) -> int | None:
    """An exclusive lock on a folder, held until the file descriptor is closed. None if its owner still runs."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


class QoS(virtual.QoS):
    """Tells the channel when a message is done. Called from threads of the pool."""

    channel: Channel

    def ack(self, delivery_tag: str) -> None:
        super().ack(delivery_tag)
        self.channel.settle(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        super().reject(delivery_tag, requeue=requeue)
        if not requeue:
            self.channel.settle(delivery_tag)


class Channel(virtual.Channel):
    """One connection to the folder."""

    QoS = QoS

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self.folder = Folder(Path(connection.client.transport_options["folder"]))
        self._claims: dict[str, Path] = {}
        self._settled = threading.Event()

    def drain_events(self, timeout: float | None = None, callback: Any = None) -> Any:
        self._settled.clear()
        if self._consumers and not self.qos.can_consume():
            # every thread of the worker is busy: check again as soon as one is done, not at the next poll
            self._settled.wait(self.connection.polling_interval)
        return super().drain_events(timeout=timeout, callback=callback)

    def basic_consume(self, queue: str, no_ack: bool, *args: Any, **kwargs: Any) -> Any:
        if no_ack:
            raise NotImplementedError("The embedded broker keeps every message until it is acknowledged.")
        if count := self.folder.recover():
            log.info("%s messages that a stopped worker had claimed are queued again", count)
        return super().basic_consume(queue, no_ack, *args, **kwargs)

    def settle(self, delivery_tag: str) -> None:
        """The message was handled: delete it."""
        if claim := self._claims.pop(delivery_tag, None):
            claim.unlink(missing_ok=True)
        self._settled.set()

    def close(self) -> None:
        super().close()
        self.folder.close()

    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
        self.folder.publish(queue, dumps(message))

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        while claim := self.folder.claim(queue):
            try:
                message: dict[str, Any] = loads(claim.read_text(encoding="utf-8"))
                self._claims[message["properties"]["delivery_tag"]] = claim
            except (ValueError, KeyError, TypeError):
                log.error("a message could not be read and was set aside: %s", claim.name)
                self.folder.set_aside(claim)
                continue
            return message
        raise Empty

    def _restore(self, message: virtual.Message) -> None:
        """Put an unacknowledged message back unchanged, at its old place in the order."""
        if claim := self._claims.pop(str(message.delivery_tag), None):
            self.folder.give_back(claim)

    def _size(self, queue: str) -> int:
        return len(self.folder.names(queue))

    def _purge(self, queue: str) -> int:
        return self.folder.purge(queue)


class Transport(virtual.Transport):
    """`embedded://` (see portal/celery.py)."""

    Channel = Channel
    driver_type = driver_name = "embedded"
    # an unusable folder counts as an unreachable broker: the worker continues without it, and tries again
    connection_errors = recoverable_connection_errors = (*virtual.Transport.connection_errors, OSError)

    def drain_events(self, connection: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        # a worker checks for a stop signal only between two calls of this
        return super().drain_events(connection, timeout=None if timeout is None else min(timeout, 0.5))

    @property
    def default_connection_params(self) -> dict[str, Any]:
        return {}  # a folder has neither host nor port

    def driver_version(self) -> str:
        return "1"
