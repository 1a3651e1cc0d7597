"""What cannot be sent, or is no version: said in words, as everything else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_bridge import Airflow, BasicAuth, NotFound, Rejected, TokenAuth, Unexpected, connect
from airflow_bridge.auth import Credentials
from tests.bridge.loopback import Reply, loopback

HALF = "ali\ud800ce"


@pytest.mark.parametrize("version", [None, "main", "", 3])
@pytest.mark.parametrize(("api", "auth"), [("v1", BasicAuth("alice", "secret")), ("v2", TokenAuth("the-token"))])
def test_a_version_that_is_none(api: str, auth: Credentials, version: object) -> None:
    with loopback(lambda asked: Reply({"version": version})) as server:
        airflow = connect(name="prod", url=server.url, api=api, auth=auth)
        with pytest.raises(Unexpected, match=f"its version is “{version}”, which is none"):
            airflow.capabilities()
        airflow.close()


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda airflow: airflow.set_roles(HALF, ["Viewer"]), "username"),
        (lambda airflow: airflow.update_user(HALF, last_name="Smith"), "username"),
        (lambda airflow: airflow.delete_user(HALF), "username"),
        (
            lambda airflow: airflow.create_user(
                username=HALF, email="a@b.c", first_name="A", last_name="B", password="c", roles=["Viewer"]
            ),
            "username",
        ),
        (lambda airflow: airflow.create_role(HALF, []), "name"),
        (lambda airflow: airflow.update_role(HALF, []), "name"),
        (lambda airflow: airflow.delete_role(HALF), "name"),
        (lambda airflow: airflow.set_variable(HALF, "on"), "key"),
    ],
)
def test_half_a_character_in_a_name(airflow: Airflow, call: Callable[[Airflow], object], field: str) -> None:
    with pytest.raises(Rejected) as caught:
        call(airflow)
    assert caught.value.field == field
    str(caught.value).encode()


def test_nobody_has_such_a_name(airflow: Airflow) -> None:
    assert airflow.user(HALF) is None
    assert airflow.role(HALF) is None
    with pytest.raises(NotFound) as caught:
        airflow.log("sales_report", "a_run", HALF)
    str(caught.value).encode()


def test_what_no_database_keeps_is_replaced() -> None:
    told = {"key": "mode", "value": "a\x00b", "description": "half: \ud800, a pair: \U0001f600"}
    with loopback(lambda asked: Reply(told)) as server:
        airflow = connect(name="prod", url=server.url, api="v2", auth=TokenAuth("the-token"))
        found = airflow.variable("mode")
        airflow.close()
    assert found is not None
    assert (found.value, found.description) == ("a\ufffdb", "half: \ufffd, a pair: \U0001f600")
