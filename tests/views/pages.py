"""Reading pages in tests: their text without the markup, and what they link and send."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from django.http import HttpResponse

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
INPUTS = {"input", "select", "textarea", "button"}


class Page(HTMLParser):
    """`text` as people read it, one space between words; `tags` in order as (name, attributes, ids around it)."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None], tuple[str, ...]]] = []
        self._open: list[tuple[str, str]] = []
        self._words: list[str] = []
        self.feed(response.content.decode())
        self.text = re.sub(r"\s+", " ", " ".join(self._words)).strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given, tuple(name for _, name in self._open if name)))
        if tag not in VOID:
            self._open.append((tag, given.get("id") or ""))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not any(tag in ("script", "style", "template") for tag, _ in self._open):
            self._words.append(data)

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        wanted = attributes.items()
        return [given for name, given, _ in self.tags if name == tag and all(given.get(k) == v for k, v in wanted)]

    def inputs_inside(self, element_id: str) -> list[str]:
        return [name for name, _, around in self.tags if name in INPUTS and element_id in around]

    @property
    def actions(self) -> set[str]:
        """Where the page's forms post to."""
        return {given.get("action") or "" for given in self.all("form", method="post")}

    @property
    def links(self) -> set[str]:
        return {given.get("href") or "" for given in self.all("a")}


class Untouched(HTMLParser):
    """What a browser sends of the form of a run that nobody has touched."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.sent: dict[str, list[str]] = {}
        self._inside, self._area, self._select = False, "", ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = given.get("action", "").endswith("/runs")
        if not self._inside or not given.get("name", self._select):
            return
        is_box = given.get("type") in ("checkbox", "radio")
        if tag == "input" and (not is_box or "checked" in given):
            self._send(given["name"], given.get("value", "on" if is_box else ""))
        elif tag == "textarea":
            self._area = given["name"]
            self._send(self._area, "")
        elif tag == "select":
            self._select = given["name"]
        elif tag == "option" and "selected" in given:
            self._send(self._select, given["value"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "textarea" and self._area:
            typed = self.sent[self._area][-1].removeprefix("\n")  # HTML ignores the first line break
            self.sent[self._area][-1] = typed.replace("\n", "\r\n")
            self._area = ""
        elif tag == "select":
            self._select = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.sent[self._area][-1] += data

    def _send(self, name: str, value: str) -> None:
        self.sent.setdefault(name, []).append(value)
