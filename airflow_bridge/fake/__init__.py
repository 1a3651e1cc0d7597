"""A fake of the part of Airflow 3.3.2 that the bridge uses, oddities included: a real server, on loopback, quickly up.

Verified: tests/contract runs the same cases against it and against the real thing. For tests of what uses the bridge.

    with FakeAirflow() as fake:
        airflow = connect(name="demo", url=fake.url, api="v2", auth=PasswordAuth(*fake.admin))
        fake.fail_next("PATCH /auth/fab/v1/users/.*", "drop")      # done, but the answer is lost
        fake.set_run_states("success")                             # time passes
        fake.stop(); ...; fake.start()                             # an outage: the port stays ours
"""

from airflow_bridge.fake.server import FakeAirflow
from airflow_bridge.fake.state import FakeDag, FakeRole, FakeRun, FakeUser, Request

__all__ = ["FakeAirflow", "FakeDag", "FakeRole", "FakeRun", "FakeUser", "Request"]
