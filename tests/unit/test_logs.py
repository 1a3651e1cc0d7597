"""What is logged cannot pass for a line of the log."""

from __future__ import annotations

import logging

import pytest

from portal.core.logs import Line, escaped

FORMAT = Line("{asctime} {levelname} {name}: {message}", style="{")


def line(message: str, *args: object, error: BaseException | None = None) -> str:
    info = (type(error), error, error.__traceback__) if error else None
    return FORMAT.format(logging.LogRecord("portal.x", logging.INFO, __file__, 1, message, args, info))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "separator", ["\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x1b[2K", "\ud800"]
)
def test_one_record_is_one_line(separator: str) -> None:
    said = line("no page at %s", f"/a{separator}2026-01-01 00:00:00,000 INFO portal.x: forged")
    assert len(said.splitlines()) == 1
    assert separator not in said
    said.encode()


def test_a_traceback_is_marked_line_by_line() -> None:
    try:
        raise ValueError("a\n2026-01-01 00:00:00,000 INFO portal.x: forged\x1b[2K")
    except ValueError as error:
        first, *rest = line("it fell over", error=error).splitlines()
    assert first.endswith("portal.x: it fell over")
    assert rest and all(one.startswith("  | ") for one in rest)
    assert "\x1b" not in "".join(rest)


def test_a_token_in_an_address_is_not_logged() -> None:
    said = line("Not Found: /requests/gh_abcdefghijkl_%s/withdraw", "s" * 38)
    assert said.endswith("Not Found: /requests/gh_abcdefghijkl_***/withdraw")


def test_harmless_characters_are_unchanged() -> None:
    assert escaped("“Zoé” 파일 \U0001f600 a\\b") == "“Zoé” 파일 \U0001f600 a\\b"


def test_every_handler_uses_the_formatter() -> None:
    (written,) = (handler for handler in logging.getLogger().handlers if handler.name == "stderr")
    assert isinstance(written.formatter, Line)
