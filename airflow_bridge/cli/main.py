"""Reads the arguments, runs one command, and turns whatever goes wrong into one line and an exit code."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_bridge.cli import commands, environment
from airflow_bridge.cli.check import check
from airflow_bridge.cli.environment import WrongEnvironment
from airflow_bridge.errors import BridgeError

FAILED, USAGE, INTERRUPTED = 1, 2, 130
WAIT = 3600.0  # seconds

ENVIRONMENT = """\
environment:
  AIRFLOW_URL                    the address, such as https://airflow.example.com
  AIRFLOW_API                    v1 (Airflow 2) or v2 (Airflow 3); found out where it is not set
  AIRFLOW_USERNAME               with AIRFLOW_PASSWORD
  AIRFLOW_TOKEN                  or a bearer token
  AIRFLOW_OAUTH_TOKEN_URL        or an OAuth 2 client, with AIRFLOW_OAUTH_CLIENT_ID, AIRFLOW_OAUTH_CLIENT_SECRET
                                 and, where wanted, AIRFLOW_OAUTH_SCOPE and AIRFLOW_OAUTH_AUDIENCE
  AIRFLOW_CA_BUNDLE              a file of certificate authorities to trust instead of the system's
  AIRFLOW_ALLOW_PLAIN_HTTP       1 to accept http to another machine
Passwords, tokens and client secrets may be in a file: AIRFLOW_PASSWORD_FILE, AIRFLOW_TOKEN_FILE,
AIRFLOW_OAUTH_CLIENT_SECRET_FILE.

exit codes: 0 done, 1 refused or failed, 2 wrong usage or environment, 3 the run failed, 4 the run has not ended in time
"""


def main(arguments: Sequence[str], environ: Mapping[str, str] | None = None) -> int:
    """Gives the exit code. environ: by default the process's own."""
    given = _parser().parse_args(arguments)  # which exits with 2
    try:
        return _run(given, os.environ if environ is None else environ)
    except WrongEnvironment as error:
        return _say(str(error), USAGE)
    except BridgeError as error:
        return _say(str(error), FAILED)
    except OSError as error:
        # what is left unwritten must not be tried again at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # whoever reads us has enough, as `head` does
            return 0
        return _say(f"The output cannot be written: {error.strerror}.", FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    airflow, given.auth = environment.connection(environ)
    try:
        code = int(given.command(airflow, given))
        sys.stdout.flush()
    except Exception:  # Ctrl-C waits for nothing
        airflow.close()
        raise
    airflow.close()
    return code


def _say(words: str, code: int) -> int:
    sys.stderr.write(" ".join(words.split()) + "\n")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_bridge",
        description="Ask or tell one Airflow, 2 or 3.",
        epilog=ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="for programs: JSON, one line for each row")
    words = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, function: Any, help: str) -> argparse.ArgumentParser:
        made = words.add_parser(name, parents=[common], help=help, description=help, allow_abbrev=False)
        made.set_defaults(command=function)
        return made

    command("check", check, "what this Airflow is and can do, who we are there and what we lack")
    command("users", commands.users, "everybody, with their roles")
    command("roles", commands.roles, "every role, with what it permits")

    trigger = command("trigger", commands.trigger, "start a run of a DAG")
    trigger.add_argument("dag", metavar="DAG")
    trigger.add_argument("--conf", type=_conf, default={}, metavar="JSON", help="its parameters, a JSON object")
    trigger.add_argument("--run-id", default="", metavar="ID", help="the same id twice is one run; made up by default")
    trigger.add_argument("--note", default="", metavar="N")
    trigger.add_argument(
        "--wait",
        type=_seconds,
        nargs="?",
        const=WAIT,
        metavar="SECONDS",
        help=f"until it has ended, at most so long ({WAIT:.0f})",
    )

    runs = command("runs", commands.runs, "runs of one DAG or of all, newest first")
    runs.add_argument("dag", metavar="DAG", nargs="?")
    runs.add_argument("--state", default="", choices=["queued", "running", "success", "failed"])
    runs.add_argument("--limit", type=_count, default=20, metavar="N", help="how many at most (20); 0 for all")
    return parser


def _conf(text: str) -> dict[str, Any]:
    try:
        conf = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"it is no JSON: {error}") from None
    if not isinstance(conf, dict):
        raise argparse.ArgumentTypeError('it must be a JSON object, such as {"region": "KR"}')
    return conf


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError("it must be a number of seconds")
    return seconds


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("it must be a number, or 0 for all")
    return int(text)
