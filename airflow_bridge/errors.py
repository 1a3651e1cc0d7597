"""Everything that can go wrong between here and Airflow, as one tree. Nothing of httpx or httpcore leaks.

BridgeError
├── Unreachable       no connection, a 503, or a proxy's 502/504 to a read: nothing of the request was done
├── TimedOut          no answer in time, or a 502/504 to a write: whether it was done is unknown, read before retrying
├── Unauthorised      the credentials were refused
├── Forbidden         signed in, but not permitted
├── NotFound
├── Conflict          409
├── Rejected          Airflow refused the content, with its own words and the field where it names one
│   ├── NotParsed     a permission on a DAG whose file Airflow has not read yet: try again later
│   └── Overruled     the DAG's file sets access_control, which takes back what is given from outside
├── NotApplied        Airflow said that it is done, and shows something else
├── RateLimited       429; `retry_after` seconds
├── Unsupported       this Airflow has no such call
├── NotFinished       a run was waited for and has not ended in time
└── Unexpected        an answer that makes no sense (HTML, a wrong shape, a 500)
    └── TooLarge      an answer that is longer than allowed
"""

from __future__ import annotations

from airflow_bridge.types import Run


class BridgeError(Exception):
    """`str()` says what was asked of which deployment, what came back and what to do; never a secret, never HTML.

    retry_after: seconds to wait, as Airflow or a gateway before it asks. field: what was refused of the request.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.field = field


class Unreachable(BridgeError): ...


class TimedOut(BridgeError): ...


class Unauthorised(BridgeError): ...


class Forbidden(BridgeError): ...


class NotFound(BridgeError): ...


class Conflict(BridgeError): ...


class Rejected(BridgeError): ...


class NotParsed(Rejected): ...


class Overruled(Rejected): ...


class NotApplied(BridgeError): ...


class RateLimited(BridgeError): ...


class Unsupported(BridgeError): ...


class Unexpected(BridgeError): ...


class TooLarge(Unexpected): ...


class NotFinished(BridgeError):
    """`run` is the run as it was last seen."""

    def __init__(self, message: str, *, run: Run) -> None:
        super().__init__(message)
        self.run = run
