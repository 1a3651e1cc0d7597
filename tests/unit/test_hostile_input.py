"""Whatever is sent to any page or call: never a 5xx, and never a log line that what was sent has written.

What is asked comes from the urlconf, from the names of parameters in the source, and from the API's own description.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoDbBlocker

from accounts import tokens
from accounts.models import User
from portal.airflow import clients
from portal.api.api import api
from portal.core.logs import Line
from portal.ui.input import utf8_alone
from tests.factories import PASSWORD, SECRETS, fake_airflow, look_at_all, look_at_dags, offer, people
from tests.fake_airflow import FakeAirflow
from tests.guards.addresses import PAGES, patterns
from tests.guards.world import world

WEB = Path(__file__).resolve().parents[2] / "portal" / "web"
ASKED = sorted(
    {
        name
        for file in WEB.rglob("*.py")
        for name in re.findall(r'(?:GET|POST|data|params)(?:\.get\(|\.getlist\(|\[)"(\w+)"', file.read_text())
    }
    | {
        field
        for file in WEB.rglob("*forms.py")
        for field in re.findall(r"^    (\w+) = forms\.", file.read_text(), re.M)
    }
    | {"actor", "verb", "target", "outcome", "login", "password", "next"}
)
EARLY, LATE = "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"


def cursor(*place: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


NASTY = [
    "",
    " ",
    "\0",
    "a\0b",
    "\r\n2026-01-01 00:00:00,000 INFO forged: yes",
    "\x1b[2J",
    "\u2028x",
    "a" * 60_000,
    "1" * 5000,
    "-1",
    "0",
    "9" * 30,
    "1" * 18,
    "REQ-" + "9" * 18,
    "GR-1",
    "1.9",
    f"1.{'9' * 30}",
    f"{'9' * 25}.1",
    EARLY,
    LATE,
    "9999-12-31",
    "0001-01-01",
    "2026-02-30",
    "2026-11-21T09:00:00.5+99:99",
    "x " * 800,
    "NaN",
    "1e999",
    "%",
    "_",
    "\\",
    "'\"",
    "(((",
    "[" * 5000,
    '{"a":' + "1" * 5000 + "}",
    '{"a":1,"a":2}',
    '{"a":"\\ud800"}',
    "{" + '"a":{' * 2000,
    "P" + "9" * 9 + "D",
    "1h" * 3000,
    cursor("requests-", EARLY, 1),
    cursor("requests-", LATE, 2**62),
    cursor("grants-", "x", 1),
    cursor("events", 2**70),
    cursor("dags", "x" * 900),
    "*.*",
    "request.*",
    "ＡＢＣ",
    "é",
    "\U0001f600" * 200,
    "true",
    "preview",
    "null",
]
texts = st.sampled_from(NASTY) | st.text(max_size=30)
headers = st.dictionaries(
    st.sampled_from(
        [
            "X-CSRFToken",
            "HX-Current-URL",
            "HX-Target",
            "HX-Request",
            "HX-Boosted",
            "Referer",
            "Origin",
            "Cookie",
            "Host",
            "Accept",
            "Accept-Encoding",
            "Accept-Language",
            "If-Modified-Since",
            "If-None-Match",
            "Range",
            "Idempotency-Key",
            "X-Forwarded-For",
            "Content-Language",
        ]
    ),
    st.sampled_from(
        [
            "http://[",
            "http://testserver/%00",
            "bytes=0-" + "9" * 5000,
            'gatehouse_session="\\000x"',
            'a=b; gatehouse_csrf="\\012"',
            "true",
            "gzip;q=x",
            "*",
            "x" * 300,
            "Mon, 99 Foo 0000",
            "\"'",
            "null",
        ]
    ),
    max_size=2,
)
kinds = st.sampled_from(
    [
        "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded; charset=utf-16",
        "text/plain; charset=zlib",
        "application/json; charset=base64",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "multipart/form-data; boundary=" + "x" * 300,
        "",
        "x",
        "application/json",
    ]
)
bodies = st.sampled_from(
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'--x\r\nContent-Disposition: form-data; name="conf"\r\n\r\na',
        b"a=" + b"%00" * 9,
        b"&".join(b"a%d=1" % n for n in range(1200)),
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="\x00"\r\n\r\na\r\n--x--',
        b"[" * 30_000,
        b'{"a":' * 20_000,
        b'{"entitlement":"\\ud800"}',
        b"1" * 6000,
        b'{"x":' + b"1" * 6000 + b"}",
    ]
)


def token_of(person: User) -> str:
    scopes = tokens.allowed_scopes(person)
    return tokens.create(by=person, name="script", scopes=scopes, days=1, password=PASSWORD)[1]


@pytest.fixture(scope="module")
def made(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, list[Any]]]:
    """A world with something of each kind, made once; each call is undone."""
    all_in_one = transaction.atomic()
    all_in_one._from_testcase = True  # type: ignore[attr-defined] # as Django marks the transactions around tests
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch, fake_airflow() as fake, all_in_one:
        for name, value in SECRETS.items():
            patch.setenv(name, value)
        cast = people()
        offer(tmp_path_factory.mktemp("catalogue"), url=fake.url)
        look_at_all()
        look_at_dags()
        assert isinstance(fake, FakeAirflow)
        yield world(cast) | {"tokens": [{name: token_of(cast[name]) for name in ("lead", "auditor", "colleague")}]}
        transaction.set_rollback(True)
    clients.close_all()


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(Line("{asctime} {levelname} {name}: {message}", style="{"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield out
    root.removeHandler(handler)
    root.setLevel(level)


def check(client: Client, logged: io.StringIO, method: str, path: str, **more: Any) -> None:
    logged.seek(0)
    logged.truncate()
    before = transaction.savepoint()
    try:
        response = client.generic(method, path, **more)
        if response.streaming:
            b"".join(response.streaming_content)
    finally:
        transaction.savepoint_rollback(before)
    lines = logged.getvalue().splitlines()
    fell_over = response.status_code >= 500 and not path.startswith("/health/ready")  # which may well say 503
    assert not fell_over, "\n".join([f"{method} {path[:300]!r} {str(more)[:600]}", *lines[-25:]])
    forged = [
        line for line in lines if not re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ [\w.]+: |  \| ", line)
    ]
    assert not forged and not any("INFO forged" in line[:45] for line in lines)


class Server:
    """Hands a test client's calls on as `portal.wsgi` does."""

    def __init__(self, handler: Any) -> None:
        self.handler = handler

    def __call__(self, environ: dict[str, Any]) -> Any:
        utf8_alone(environ)
        return self.handler(environ)


def browser() -> Client:
    client = Client(raise_request_exception=False)
    client.handler = Server(client.handler)
    return client


def hostile(examples: int) -> Any:
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=examples, suppress_health_check=checks, database=None)


ROUTES = [(pattern.name, route) for route, pattern in patterns()]
queries = st.dictionaries(st.sampled_from(ASKED) | st.sampled_from(["x\0", "é" * 200]), texts, max_size=3)


def filled(route: str, things: list[str]) -> str:
    """A route with its parameters filled in, in order."""
    return "/" + re.sub(r"<[^>]+>", lambda _: quote(things.pop(0), safe="", errors="surrogatepass"), route)


@st.composite
def page_calls(draw: st.DrawFn) -> tuple[str, str, str, dict[str, Any]]:
    name, route = draw(st.sampled_from(ROUTES))
    holes = route.count("<")
    things = draw(st.lists(texts.map(lambda text: text[:3000]), min_size=holes, max_size=holes))
    real = draw(st.booleans())
    query = draw(queries)
    method = draw(st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "PUT"]))
    more: dict[str, Any] = {"headers": draw(headers)}
    if method in ("POST", "PUT"):
        more["content_type"] = draw(kinds)
        more["data"] = draw(bodies | queries.map(lambda form: urlencode(form, errors="surrogatepass").encode()))
    path = f"real:{name}" if real else filled(route, list(things))
    return (
        draw(st.sampled_from(["employee", "lead", "auditor", "admin", "colleague", ""])),
        method,
        f"{path}?{urlencode(query)}",
        more,
    )


@hostile(100)
@given(call=page_calls())
def test_no_page_causes_a_server_error(made: dict[str, list[Any]], db: None, logged: io.StringIO, call: Any) -> None:
    person, method, path, more = call
    if path.startswith("real:"):
        name, _, query = path[5:].partition("?")
        route = dict(ROUTES)[name]
        path = f"{filled(route, [str(thing) for thing in made[PAGES[name].of]])}?{query}"
    client = browser()
    if person:
        client.force_login(User.objects.get(username=person))
    check(client, logged, method, path, **more)


def described() -> list[tuple[str, str, list[str], list[str]]]:
    """(method, path, names of query parameters, names in the body) of every call."""
    document = api.get_openapi_schema(path_prefix="")
    found = []
    for path, calls in document["paths"].items():
        for method, call in calls.items():
            asked = [param["name"] for param in call.get("parameters", []) if param["in"] == "query"]
            body = call.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            schema = document["components"]["schemas"].get(str(body.get("$ref", "")).rpartition("/")[2], {})
            found.append((method.upper(), path, asked, list(schema.get("properties", {}))))
    return found


json_values = st.recursive(
    texts | st.none() | st.booleans() | st.integers() | st.floats() | st.just("\ud800") | st.just(10**4000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def api_calls(draw: st.DrawFn) -> tuple[str, str, str, dict[str, Any]]:
    method, path, asked, fields = draw(st.sampled_from(described()))
    things = {"id": "1", "deployment": "demo", "dag_id": "sales_report", "task_id": "publish", "seq": "1"}
    if draw(st.booleans()):
        things = dict.fromkeys(things, draw(texts)[:3000])
    path = re.sub(r"\{(\w+)\}", lambda match: quote(things.get(match[1], "1"), safe="", errors="surrogatepass"), path)
    names = st.sampled_from(asked) if asked else st.just("x")
    query = draw(st.dictionaries(names, texts, max_size=3))
    more: dict[str, Any] = {"headers": draw(headers)}
    if method == "POST":
        sent = st.dictionaries(st.sampled_from(fields), json_values, max_size=4) if fields else st.just({})
        more["data"] = draw(bodies | sent.map(lambda body: json.dumps(body).encode()))
        more["content_type"] = draw(kinds | st.just("application/json"))
    return draw(st.sampled_from(["lead", "auditor", "colleague"])), method, f"/api/v1{path}?{urlencode(query)}", more


@hostile(100)
@given(call=api_calls())
def test_no_call_causes_a_server_error(made: dict[str, list[Any]], db: None, logged: io.StringIO, call: Any) -> None:
    person, method, path, more = call
    more["headers"] = {**more["headers"], "Authorization": f"Bearer {made['tokens'][0][person]}"}
    check(browser(), logged, method, path, **more)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12", ""])
@pytest.mark.parametrize("moment", [EARLY, LATE, "9999-12-31", "0001-01-01", "9999-12-31T23:59", "0001-01-01T00:00"])
def test_no_moment_is_too_early_or_too_late(
    made: dict[str, list[Any]], db: None, logged: io.StringIO, moment: str, zone: str
) -> None:
    User.objects.filter(username="auditor").update(timezone=zone)
    client = browser()
    client.force_login(User.objects.get(username="auditor"))
    told = quote(moment)
    for path in (f"/audit?since={told}", f"/audit?until={told}", f"/audit/export?since={told}"):
        assert client.get(path).status_code == 200
    form = {"entitlement": "demo/role/User", "preview": "1", "starts_at": moment, "duration": "PT8H"}
    check(client, logged, "GET", f"/requests/new?{urlencode(form)}")
    for after in ("1.9", f"{2**62}.1", f"{'9' * 20}.1", f"1.{'9' * 19}", "253402300799000000.1", "0.0"):
        check(client, logged, "GET", f"/requests?show=all&after={after}")
