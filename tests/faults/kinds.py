"""What can happen to a request on its way, by name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from tests.faults.proxy import Exchange, Fault, http_response

DRIP = 0.05  # seconds between two bytes of a slow drip
A_MOMENT = 0.2  # seconds: late, but within every budget of these tests
LONG = 2.0  # seconds: for one request of a call just so, for all of them too much
PAGE = b"<html><body>Please sign in to your company's proxy</body></html>"
JSON = "Content-Type: application/json"
HTML = "Content-Type: text/html"


# --- late ------------------------------------------------------------------------------------------------------------
def slow_before(exchange: Exchange) -> None:
    exchange.pause(A_MOMENT)
    exchange.answer(exchange.forward())


def slow_after(exchange: Exchange) -> None:
    answer = exchange.forward()
    exchange.pause(A_MOMENT)
    exchange.answer(answer)


def sluggish(exchange: Exchange) -> None:
    exchange.pause(LONG)
    exchange.answer(exchange.forward())


def black_hole(exchange: Exchange) -> None:
    exchange.hang()


def mute(exchange: Exchange) -> None:
    exchange.forward()
    exchange.hang()


def drip(exchange: Exchange) -> None:
    """From the first byte of the head on; the last one never comes."""
    dripping(exchange, exchange.forward())


def drip_body(exchange: Exchange) -> None:
    """The head at once: the answer has begun well."""
    head, end, body = exchange.forward().partition(b"\r\n\r\n")
    exchange.send(head + end)
    dripping(exchange, body)


def dripping(exchange: Exchange, data: bytes) -> None:
    for byte in data[:-1]:
        exchange.send(bytes([byte]))
        exchange.pause(DRIP)
    exchange.hang()


def held_back(exchange: Exchange) -> None:
    """Passed on only once the client has given up, as a queue in between does."""
    exchange.hang()
    exchange.forward()


# --- cut --------------------------------------------------------------------------------------------------------------
def cut_before(exchange: Exchange) -> None:
    """Read, and not passed on."""


def cut_after(exchange: Exchange) -> None:
    exchange.forward()


def reset_before(exchange: Exchange) -> None:
    exchange.reset()


def reset_after(exchange: Exchange) -> None:
    exchange.forward()
    exchange.reset()


def half_head(exchange: Exchange) -> None:
    exchange.send(exchange.forward()[:20])


def half_answer(exchange: Exchange) -> None:
    answer = exchange.forward()
    start = answer.index(b"\r\n\r\n") + 4
    exchange.send(answer[: start + (len(answer) - start) // 2])


def hang_up(exchange: Exchange) -> None:
    """Answered in full; then the connection is closed without having said so."""
    exchange.send(exchange.forward())


# --- refused ---------------------------------------------------------------------------------------------------------
def refuses(status: str, *headers: str) -> Fault:
    return lambda exchange: exchange.answer(http_response(status, [HTML, *headers], PAGE))


def until_later(exchange: Exchange) -> None:
    """A date, as some proxies put it."""
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    exchange.answer(http_response("429 Too Many Requests", [HTML, f"Retry-After: {later}"], PAGE))


def gateway(status: str) -> Fault:
    """The proxy lost patience, Airflow did not."""

    def fault(exchange: Exchange) -> None:
        exchange.forward()
        exchange.answer(http_response(status, [HTML], PAGE))

    return fault


# --- nonsense --------------------------------------------------------------------------------------------------------
def instead(answer: bytes) -> Fault:
    """Passed on, but something else comes back."""

    def fault(exchange: Exchange) -> None:
        exchange.forward()
        exchange.send(answer)

    return fault


def broken_json(exchange: Exchange) -> None:
    """The right length, and half of it blank."""
    head, end, body = exchange.forward().partition(b"\r\n\r\n")
    half = len(body) // 2
    exchange.answer(head + end + body[:half] + b" " * (len(body) - half))


KINDS: dict[str, Fault] = {
    "slow_before": slow_before,
    "slow_after": slow_after,
    "sluggish": sluggish,
    "black_hole": black_hole,
    "mute": mute,
    "drip": drip,
    "drip_body": drip_body,
    "held_back": held_back,
    "cut_before": cut_before,
    "cut_after": cut_after,
    "reset_before": reset_before,
    "reset_after": reset_after,
    "half_head": half_head,
    "half_answer": half_answer,
    "hang_up": hang_up,
    "429": refuses("429 Too Many Requests"),
    "429_soon": refuses("429 Too Many Requests", "Retry-After: 1"),
    "429_later": refuses("429 Too Many Requests", "Retry-After: 60"),
    "429_until": until_later,
    "503": refuses("503 Service Unavailable"),
    "503_later": refuses("503 Service Unavailable", "Retry-After: 60"),
    "500": refuses("500 Internal Server Error"),
    "502": gateway("502 Bad Gateway"),
    "504": gateway("504 Gateway Timeout"),
    "not_http": instead(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "html": instead(http_response("200 OK", [HTML], PAGE)),
    "wrong_json": instead(http_response("200 OK", [JSON], b'{"unexpected": true}')),
    "json_list": instead(http_response("200 OK", [JSON], b"[]")),
    "empty": instead(http_response("200 OK", [JSON], b"")),
    "bad_gzip": instead(http_response("200 OK", [JSON, "Content-Encoding: gzip"], b"this was never packed")),
    "broken_json": broken_json,
}
