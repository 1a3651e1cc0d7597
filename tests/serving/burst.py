"""A Celery application over the embedded broker for the tests: its task records the message's number."""

import os

from celery import Celery

from portal.celery import app as portal_app

FOLDER = os.environ["BURST_FOLDER"]

app = Celery("burst", fixups=[])  # no Django here
app.conf.update(
    broker_url="embedded://",
    broker_transport_options={"folder": f"{FOLDER}/broker", "polling_interval": 0.05},
    task_ignore_result=True,
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    worker_enable_remote_control=False,
    task_default_queue="burst",
)
assert portal_app  # importing it makes embedded:// known


@app.task(name="burst.note")
def note(number: int) -> None:
    with open(f"{FOLDER}/noted", "a") as file:
        file.write(f"{number}\n")


@app.task(name="burst.hold")
def hold(gate: str) -> None:
    """Hold a claim while the gate file exists. Creates `<gate>.held` when it holds one."""
    import pathlib
    import time

    pathlib.Path(f"{gate}.held").touch()
    while pathlib.Path(gate).exists():
        time.sleep(0.01)
