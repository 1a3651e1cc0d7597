"""A fake of what the bridge uses of Airflow 2 and 3, oddities included: a real server, on loopback, quickly up.

Verified: tests/contract runs the same cases against it and against the real thing. For tests of what uses the bridge.

    with FakeAirflow(release="3.3.2") as fake:
        airflow = connect(name="demo", url=fake.url, api="v2", auth=PasswordAuth(*fake.admin))
        fake.fail_next("PATCH /auth/fab/v1/users/.*", "drop")      # done, but the answer is lost
        fake.set_run_states("success")                             # time passes
        fake.stop(); ...; fake.start()                             # an outage: the port stays ours
"""

from tests.fake_airflow.releases import RELEASES, FakeRelease
from tests.fake_airflow.rows import (
    FakeBackfill,
    FakeDag,
    FakeQuestion,
    FakeRole,
    FakeRun,
    FakeUser,
    FakeVariable,
    Request,
)
from tests.fake_airflow.server import FakeAirflow

__all__ = [
    "RELEASES",
    "FakeAirflow",
    "FakeBackfill",
    "FakeDag",
    "FakeQuestion",
    "FakeRelease",
    "FakeRole",
    "FakeRun",
    "FakeUser",
    "FakeVariable",
    "Request",
]
