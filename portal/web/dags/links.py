"""Links that fill in the form of a run: `?conf.region=EU`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from portal.core.secrecy import marks
from portal.web.dags.run_form import RunForm

PREFILL = "conf."  # of the parameters in a link
LONGEST = 2000  # characters of its query


def links_in(query: QueryDict) -> dict[str, list[str]]:
    """The texts of parameters in a link, by name."""
    return {name[len(PREFILL) :]: query.getlist(name) for name in query if name.startswith(PREFILL)}


def link(form: RunForm, conf: Mapping[str, Any]) -> str:
    """The query of a link that fills in the form; empty if it would be too long or would hold a secret."""
    texts: list[tuple[str, str]] = []
    for name, control in form.controls.items():
        one = form.declared[name]
        if name not in conf or one.is_secret or any(True for _ in marks({name: conf[name]})):
            continue
        if one.has_default and conf[name] == one.default:
            continue
        written = control.write(conf[name])
        parts = written if isinstance(written, list) else [written]
        texts += [(f"{PREFILL}{name}", part if isinstance(part, str) else str(part).lower()) for part in parts]
    query = urlencode(texts)
    return query if len(query) <= LONGEST else ""
