"""No error holds a credential, whoever repeats our request and however."""

from __future__ import annotations

import base64
import contextlib
import html
import http.server
import json
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_bridge import BasicAuth, BridgeError, OAuth2Auth, PasswordAuth, TokenAuth, connect
from airflow_bridge.cli.main import main
from airflow_bridge.redaction import HIDDEN, LONGEST, redact

ODD = "p\"ä\\s/ +&%<x>'é😀;=~\n"
ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda secret: secret,
    "JSON": json.dumps,
    "JSON in JSON": lambda secret: json.dumps(json.dumps(secret)),
    "JSON in UTF-8": lambda secret: json.dumps(secret, ensure_ascii=False),
    "JSON of Go": lambda secret: json.dumps(secret).replace("<", "\\u003c").replace("&", "\\u0026"),
    "JSON of PHP": lambda secret: json.dumps(secret).replace("/", "\\/"),
    "percent": lambda secret: quote(secret, safe=""),
    "percent, but slashes": quote,
    "percent in small letters": lambda secret: quote(secret, safe="").lower() if secret.islower() else quote(secret),
    "percent twice": lambda secret: quote(quote(secret, safe=""), safe=""),
    "form": quote_plus,
    "JSON in a form": lambda secret: quote_plus(json.dumps({"password": secret})),
    "HTML": html.escape,
    "JSON in HTML": lambda secret: html.escape(json.dumps(secret)),
    "references": lambda secret: secret.encode("ascii", "xmlcharrefreplace").decode(),
    "Python": repr,
    "Python's bytes": lambda secret: repr(secret.encode()),
    "Base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "Base64 for addresses": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode(),
    "taken for Latin-1": lambda secret: secret.encode().decode("latin-1"),
    "without what is not ASCII": lambda secret: secret.encode("ascii", "replace").decode(),
}
SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=4, max_size=24).filter(
    lambda text: text.strip() == text and len(set(text)) > 2
)


@settings(max_examples=15, deadline=None)
@given(secret=SECRETS)
@example(secret=ODD)
@example(secret='\\n\\u00e4"\\')
@example(secret="hunter2")
@example(secret="00\x851\x08 \u2028x")
def test_a_secret_in_every_encoding(secret: str) -> None:
    for encoding, write in ENCODINGS.items():
        written = write(secret)
        shown = redact(f"refused: {written} (request 7)", [secret])
        assert HIDDEN in shown, f"{encoding}: {shown}"
        assert written.strip("\"' ") not in shown, encoding
        assert secret not in shown, encoding


def test_other_words_stay() -> None:
    assert redact("Unknown roles: Op; ask an administrator", ["hunter2", "s3cret-token"]) == (
        "Unknown roles: Op; ask an administrator"
    )


def test_words_that_hold_a_very_short_secret_are_hidden_as_a_whole() -> None:
    assert redact("user x, password abc", ["abc"]) == HIDDEN


@pytest.mark.parametrize("end", ["", "…", "..."])
def test_a_secret_that_was_cut_off(end: str) -> None:
    assert redact(f'refused: {{"password": "hunter2-and{end}', ["hunter2-and-more"]) == 'refused: {"password": "***'
    long = "x" * (LONGEST - 12) + "hunter2-and-more"
    assert "hunter2" not in redact(long, ["hunter2-and-more"])


def test_one_secret_that_begins_like_another() -> None:
    assert redact("hunter2hunter3 hunter2", ["hunter2", "hunter2hunter3"]) == "*** ***"


# --- a gateway that repeats everything it was sent -------------------------------------------------------------------
class Echo(http.server.BaseHTTPRequestHandler):
    status = 401
    as_: Callable[[str], Any] = staticmethod(lambda text: {"detail": text})
    token: dict[str, object] | None = None

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if self.token and self.path.endswith(("/token", "/oauth")):
            self.answer(200, self.token)
        else:
            self.answer(self.status, self.as_(f"{self.path} {dict(self.headers)} {body}"))

    def answer(self, status: int, told: object) -> None:
        text = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_PATCH = do_DELETE = do_GET


@pytest.fixture
def echo() -> Iterator[tuple[str, type[Echo]]]:
    kind = type("OneEcho", (Echo,), {})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", kind
        server.shutdown()
        thread.join()


def everything_of(error: BaseException) -> str:
    """All that a log, a page or a debugger could take from an error, its causes and contexts included."""
    said = "".join(traceback.format_exception(error))
    seen: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop()
        if one is None or one in seen:
            continue
        assert not type(one).__module__.startswith(("httpx", "httpcore")), f"{type(one)} holds the request"
        said += f"{one!r} {vars(one)!r} {one.args!r}"
        seen.append(one)
        left += [one.__cause__, one.__context__]
    return said


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl-_x"
WAYS = {
    "password": ("v2", lambda url: PasswordAuth("granter", ODD), None),
    "password, signed in": ("v2", lambda url: PasswordAuth("granter", ODD), {"access_token": JWT}),
    "basic": ("v1", lambda url: BasicAuth("granter", ODD), None),
    "token": ("v2", lambda url: TokenAuth(JWT), None),
    "oauth2": ("v2", lambda url: OAuth2Auth(f"{url}/oauth", "client", ODD), None),
    "oauth2, signed in": ("v2", lambda url: OAuth2Auth(f"{url}/oauth", "client", ODD), {"access_token": JWT}),
}
BODIES: dict[str, Callable[[str], Any]] = {
    "text": lambda text: {"detail": text},
    "title": lambda text: {"title": text},
    "faults": lambda text: {"detail": [{"loc": ["body", text], "msg": text, "input": text}]},
    "object": lambda text: {"detail": {"reason": text, "message": text}},
    "oauth2": lambda text: {"error": text, "error_description": text},
}


@pytest.mark.parametrize("status", [401, 403, 404, 422, 500, 503])
@pytest.mark.parametrize("way", WAYS)
def test_no_error_holds_a_credential(echo: tuple[str, type[Echo]], waits: object, way: str, status: int) -> None:
    url, kind = echo
    api, auth, token = WAYS[way]
    kind.status, kind.token = status, token
    pair = base64.b64encode(f"granter:{ODD}".encode()).decode()
    for body in BODIES.values():
        kind.as_ = staticmethod(body)
        airflow = connect(name="prod", url=url, api=api, auth=auth(url))
        for name, arguments in (("check", ()), ("set_paused", ("sales_report", True))):
            with pytest.raises(BridgeError) as caught:
                getattr(airflow, name)(*arguments)
            said = everything_of(caught.value)
            for secret in (ODD, json.dumps(ODD)[1:-1], quote(ODD), quote_plus(ODD), pair, JWT, JWT.split(".")[2]):
                assert secret not in said, f"{secret!r} is in {said}"
        airflow.close()


def test_nor_the_password_of_a_user_that_is_made_or_changed(echo: tuple[str, type[Echo]]) -> None:
    url, kind = echo
    kind.status, kind.token = 422, {"access_token": JWT}
    airflow = connect(name="prod", url=url, api="v2", auth=PasswordAuth("granter", "hunter2"))
    person = {"email": "b@example.com", "first_name": "B", "last_name": "B", "password": ODD, "roles": ["Viewer"]}
    with airflow.hiding([ODD]), pytest.raises(BridgeError) as caught:
        airflow.trigger("sales_report", dag_run_id="one", conf={"word": ODD})
    assert "***" in str(caught.value)
    assert json.dumps(ODD)[1:-1] not in everything_of(caught.value)
    with pytest.raises(BridgeError) as caught:
        airflow.create_user(username="bob", **person)
    assert json.dumps(ODD)[1:-1] not in everything_of(caught.value)
    airflow.close()


def test_nor_an_error_of_the_connection() -> None:
    airflow = connect(name="prod", url="http://127.0.0.1:9", api="v1", auth=BasicAuth("granter", ODD))
    with pytest.raises(BridgeError) as caught:
        airflow.check()
    assert base64.b64encode(f"granter:{ODD}".encode()).decode() not in everything_of(caught.value)
    airflow.close()


def test_nor_what_the_command_line_says(echo: tuple[str, type[Echo]], capsys: pytest.CaptureFixture[str]) -> None:
    url, _ = echo
    environ = {"AIRFLOW_URL": url, "AIRFLOW_API": "v2", "AIRFLOW_USERNAME": "granter", "AIRFLOW_PASSWORD": ODD}
    with contextlib.suppress(SystemExit):
        assert main(["users"], environ) == 1
    said = "".join(capsys.readouterr())
    assert "***" in said
    assert json.dumps(ODD)[1:-1] not in said


@pytest.mark.parametrize("way", WAYS)
def test_nor_what_a_client_shows_of_itself(way: str) -> None:
    api, auth, _ = WAYS[way]
    made = auth("https://airflow.example.com")
    airflow = connect(name="prod", url="https://airflow.example.com", api=api, auth=made)
    http = airflow._http
    shown = (
        f"{made!r} {made} {airflow!r} {http!r} {http._sessions!r} {http.sender._wire!r} {http.sender._wire._direct!r}"
    )
    assert ODD not in shown and repr(ODD)[1:-1] not in shown and JWT not in shown
    airflow.close()
