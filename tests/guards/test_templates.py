"""Templates and static files contain nothing that the content security policy forbids."""

from __future__ import annotations

import re

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.template import engines

from tests.guards.source import HOME, templates

INLINE = re.compile(
    r"\sstyle\s*=|\son[a-z]+\s*=|\shx-on|<style\b|javascript:|\shx-vals\s*=\s*[\"']?js:|hx-eval", re.IGNORECASE
)
SCRIPT = re.compile(r"<script\b(?![^>]*\bsrc=)(?![^>]*type=[\"']application/(?:ld\+)?json)", re.IGNORECASE)
FETCHED = re.compile(
    r"<(?:script|link|img|iframe|source|video|audio|object|embed|use)\b[^>]*\b(?:src|href|data)\s*=\s*[\"']?\s*(?:https?:)?//"
)


@pytest.mark.parametrize(
    "text",
    [
        '<p style="color: red">',
        "<p onclick=x()>",
        "<style>p{}</style>",
        '<a href="javascript:x()">',
        "<div hx-on:click='x()'>",
        "<script>alert(1)</script>",
        '<script src="https://cdn.example.com/x.js"></script>',
        "<img src='//cdn.example.com/x.png'>",
    ],
)
def test_the_guard_sees_what_it_looks_for(text):
    assert INLINE.search(text) or SCRIPT.search(text) or FETCHED.search(text)


@pytest.mark.parametrize(
    "text", ['<script src="/static/app.js" defer></script>', '<a href="https://airflow.example.com">', "<p>on = 1"]
)
def test_the_guard_leaves_the_rest_alone(text):
    assert not (INLINE.search(text) or SCRIPT.search(text) or FETCHED.search(text))


def test_no_template_has_inline_style_or_script_or_asks_another_origin():
    found = [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1} {match[0].strip()}"
        for name, text in templates()
        for pattern in (INLINE, SCRIPT, FETCHED)
        for match in pattern.finditer(re.sub(r"{#.*?#}|{% comment %}.*?{% endcomment %}", "", text, flags=re.DOTALL))
    ]
    assert not found


def test_no_style_sheet_or_script_asks_another_origin():
    found = [
        f"{path.relative_to(HOME)}: {match[0]}"
        for path in sorted((HOME / "static").rglob("*"))
        if path.suffix in (".css", ".js", ".svg")
        for match in re.finditer(r"(?:url\(|@import|fetch\(|import\()\s*[\"']?(?:https?:)?//", path.read_text())
    ]
    assert not found


def test_every_form_that_posts_carries_the_token():
    found = []
    for name, text in templates():
        for form in re.finditer(r"<form\b[^>]*>.*?</form>", text, flags=re.DOTALL | re.IGNORECASE):
            posts = re.search(r"method\s*=\s*[\"']?post", form[0], re.IGNORECASE)
            if posts and "{% csrf_token %}" not in form[0]:
                found.append(f"{name}:{text.count(chr(10), 0, form.start()) + 1}")
    assert not found


def test_what_is_undefined_fails_the_test_and_a_relation_without_a_row_is_false() -> None:
    class Alone:
        @property
        def other(self) -> None:
            raise ObjectDoesNotExist

    engine = engines["django"]
    with pytest.raises(pytest.fail.Exception, match="Undefined template variable 'nobody'"):
        engine.from_string("{{ nobody }}").render()
    assert engine.from_string("{% if one.other %}two{% endif %}").render({"one": Alone()}) == ""
