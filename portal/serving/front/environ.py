"""Converts an ASGI scope into the environment of a WSGI application (PEP 3333)."""

from __future__ import annotations

import io
import sys
from typing import Any
from urllib.parse import unquote_to_bytes

from accounts.attempts import SHARED
from portal.core.peers import FORWARDING, Caller


def environ_of(scope: dict[str, Any], caller: Caller, body: bytes) -> dict[str, Any]:
    """`REMOTE_ADDR` and `wsgi.url_scheme` are those of the caller. The forwarding headers are left out.

    Names with an underscore are left out, because WSGI does not distinguish them from names with a hyphen. `Proxy` is
    left out, because programs that read `HTTP_PROXY` would use it as their own setting (CVE-2016-5385).
    """
    server, port = scope.get("server") or ("127.0.0.1", "80")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/1.1" if scope["http_version"] == "1.1" else "HTTP/1.0",
        "REMOTE_ADDR": caller.address,
        SHARED: caller.shared,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": caller.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        if b"_" in name or name in (b"proxy", b"transfer-encoding", b"content-length") or FORWARDING.fullmatch(name):
            continue
        key = name.decode("latin-1").upper().replace("-", "_")
        key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
        text = value.decode("latin-1")
        if key in environ:
            text = f"{environ[key]}{';' if key == 'HTTP_COOKIE' else ','}{text}"
        environ[key] = text
    if body or scope["method"] not in ("GET", "HEAD"):
        environ["CONTENT_LENGTH"] = str(len(body))
    return environ
