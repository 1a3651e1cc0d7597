"""Everybody's things through a token: what the page shows the same person, if the token has the scope `audit` too."""

from __future__ import annotations

import pytest

from accounts import tokens
from portal.access.models import Grant
from portal.approvals.models import Request
from portal.core.errors import Refused
from portal.dags.models import Run
from portal.operations.models import Operation
from tests.api.conftest import refused
from tests.factories import grant_at_status, person
from tests.guards.addresses import OVERSIGHT
from tests.guards.world import world

pytestmark = pytest.mark.django_db

WHO = ("auditor", "admin", "lead", "employee")
SCOPES = [*((scope,) for scope in tokens.SCOPES), ("read", "audit"), ("read", "request"), ("operate", "audit")]


@pytest.fixture
def things(airflow, cast):
    """employee's request and grant, which lead may decide; colleague's grant, which nobody decides; colleague's run."""
    world(cast)
    grant_at_status("active", by="colleague", entitlement="demo/role/Viewer")


def on_pages(client, address: str, rows) -> set[str]:
    """Those of `rows` whose page is shown. A grant stands on the page of its request."""
    shown = {row.ref: client.get(f"/{address}/{getattr(row, 'request', row).ref}").status_code for row in rows}
    assert set(shown.values()) <= {200, 404}
    return {ref for ref, status in shown.items() if status == 200}


@pytest.mark.parametrize("scopes", SCOPES, ids="+".join)
@pytest.mark.parametrize("name", WHO)
def test_a_token_shows_what_the_page_shows(things, as_, client_as, name, scopes):
    if not set(scopes) <= set(tokens.allowed_scopes(person(name))):
        with pytest.raises(Refused) as caught:
            as_(name, *scopes)
        assert caught.value.reason == "scope"
        return
    client, program = client_as(name), as_(name, *scopes)
    # of the overseers alone something is shown only because they may see everybody's: nothing here is their own
    hidden = name in OVERSIGHT and "audit" not in scopes
    for address, rows, needed in (
        ("requests", Request.objects.all(), {"read"}),
        ("grants", Grant.objects.select_related("request"), {"read", "audit"}),
    ):
        answer = program.get(f"/{address}")
        if needed.isdisjoint(scopes):
            assert " or ".join(["read", *sorted(needed - {"read"})]) in refused(answer, 403, "scope")["detail"]
            continue
        seen = on_pages(client, "requests", rows)
        assert {item["id"] for item in answer.json()["items"]} == (set() if hidden else seen)
        assert (len(seen) == len(rows)) == (name in OVERSIGHT), "the page itself shows everything to overseers alone"
        for row in rows:
            status = 200 if row.ref in seen and not hidden else 404
            assert program.get(f"/{address}/{row.ref}").status_code == status
    run = Run.objects.get()
    answer = program.get(f"/runs/{run.ref}")
    if "operate" not in scopes:
        refused(answer, 403, "scope")
    else:
        assert answer.status_code == (404 if hidden else client.get(f"/runs/{run.ref}").status_code)
    operation = Operation.objects.get(subject=Grant.objects.get(beneficiary__username="colleague").ref)
    answer = program.get(f"/operations/{operation.ref}")
    if "read" not in scopes:
        refused(answer, 403, "scope")
    else:
        assert answer.status_code == (200 if name in OVERSIGHT and not hidden else 404)


@pytest.mark.parametrize("scopes", [("audit",), ("read", "audit")])
def test_an_overseer_who_lost_the_role_sees_nobody_elses(things, as_, scopes):
    program = as_("auditor", *scopes)
    assert program.get("/grants").json()["items"]
    person("auditor").groups.clear()
    answer = program.get("/grants")
    if "read" in scopes:
        assert answer.json()["items"] == []
    else:
        refused(answer, 403, "scope")
