"""Rules of the project that are checked in the source code."""

from __future__ import annotations

import ast
import re
import warnings

import pytest
from django.apps import apps

from tests.guards.source import HOME, ROOMS, files, modules

ASK_WHY, TOO_LONG = 300, 500
SPEAKS_FOR_AIRFLOW = {"portal/airflow/health.py"}  # the status of a deployment is read from Airflow


# --- status ----------------------------------------------------------------------------------------------------------
def writes_of_status(tree: ast.Module) -> list[int]:
    """Lines that set a status without a state machine's `move`. A new row may be created with its first status."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                names = target.elts if isinstance(target, ast.Tuple) else [target]
                found += [one.lineno for one in names if isinstance(one, ast.Attribute) and one.attr == "status"]
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            named = any(keyword.arg == "status" for keyword in node.keywords)
            defaults = [
                keyword.value for keyword in node.keywords if keyword.arg in ("defaults", "update_fields", "fields")
            ]
            listed = any(
                isinstance(one, ast.Constant) and one.value == "status" for value in defaults for one in ast.walk(value)
            )
            given = any(isinstance(one, ast.Constant) and one.value == "status" for one in node.args)
            if called in ("update", "update_or_create", "aupdate") and (named or listed):
                found.append(node.lineno)
            if called in ("save", "asave", "bulk_update", "setattr") and (listed or given):
                found.append(node.lineno)
    return found


@pytest.mark.parametrize(
    "line",
    [
        "request.status = 'approved'",
        "a.status, b = 1, 2",
        "rows.filter(pk=1).update(status='approved')",
        "request.save(update_fields=['status'])",
        "Grant.objects.bulk_update(rows, fields=['status'])",
        "setattr(grant, 'status', 'ended')",
        "Grant.objects.update_or_create(pk=1, defaults={'status': 'ended'})",
    ],
)
def test_the_guard_sees_every_way_to_write_a_status(line):
    assert writes_of_status(ast.parse(line))


@pytest.mark.parametrize(
    "line", ["REQUEST.move(request, to=S.APPROVED)", "Grant(status='applying')", "x.filter(status=1)"]
)
def test_the_guard_leaves_moves_and_reads_alone(line):
    assert not writes_of_status(ast.parse(line))


def test_a_status_is_written_by_its_state_machine_only():
    allowed = {"portal/core/state_machine.py", *SPEAKS_FOR_AIRFLOW}
    found = [
        f"{path}:{line}"
        for path, tree in modules("accounts", "portal")
        if path not in allowed
        for line in writes_of_status(tree)
    ]
    assert not found, "use the state machines of states.py"


# --- models ----------------------------------------------------------------------------------------------------------
# How the rows of each table change. "states": by the moves of its state machine, with the columns that belong to a
# move.
# "never": a row is written once. "file": written by `catalogue apply`. "seen": the last known state of Airflow or of a
# process. "turn": a row exists only while something is in progress.
# "preference": a person's own choice about their pages.
LIVES = {
    "accounts.User": "directory",
    "accounts.GroupName": "directory",
    "accounts.RoleAssignment": "file",
    "accounts.Token": "states",
    "accounts.RateCount": "counter",
    "audit.AuditEvent": "never",
    "audit.AuditReference": "never",
    "audit.AuditHead": "trail",
    "audit.RepeatedRefusal": "counter",
    "catalogue.CatalogueVersion": "never",
    "catalogue.Deployment": "file",
    "catalogue.Entitlement": "file",
    "catalogue.Dag": "file",
    "airflow.AirflowAccount": "seen",
    "airflow.DeploymentState": "seen",
    "airflow.DagListing": "seen",
    "airflow.ListedDag": "seen",
    "operations.Operation": "states",
    "operations.Process": "seen",
    "operations.Turn": "seen",
    "approvals.Submission": "never",
    "approvals.Request": "states",
    "approvals.Resubmission": "never",
    "approvals.Comment": "never",
    "approvals.Stage": "states",
    "approvals.StageApprover": "never",
    "approvals.Waiting": "turn",
    "approvals.Decision": "never",
    "access.AccessRequest": "states",
    "access.Grant": "states",
    "access.RoleInMaking": "turn",
    "dags.Run": "states",
    "dags.RunRequest": "states",
    "dags.PermitRequest": "states",
    "dags.Permit": "states",
    "dags.DagState": "seen",
    "dags.RunTasks": "seen",
    "dags.RunNotice": "preference",
    "dags.TaskLog": "seen",
    "dags.TaskLogPart": "seen",
    "dags.WaitingTask": "seen",
    "dags.VariableRequest": "states",
    "dags.VariableState": "seen",
    "api.IdempotencyKey": "answers",
}
OURS = {config.label for config in apps.get_app_configs() if config.name.split(".")[0] in ROOMS}


def test_how_each_table_lives_is_declared():
    there = {model._meta.label for model in apps.get_models() if model._meta.app_label in OURS}
    assert there == set(LIVES)


def _changes(tree: ast.Module, names: set[str]) -> list[int]:
    """Lines that change or delete rows of the models called `names`, starting from the model: `Decision.objects...`."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            verb, start = node.func.attr, node.func.value
            while isinstance(start, ast.Call | ast.Attribute):
                start = start.func if isinstance(start, ast.Call) else start.value
            changes = verb in ("update", "delete", "bulk_update", "update_or_create", "_raw_delete")
            if changes and isinstance(start, ast.Name) and start.id in names:
                found.append(node.lineno)
    return found


def test_what_is_written_once_is_never_changed():
    names = {label.partition(".")[2] for label, life in LIVES.items() if life == "never"}
    assert _changes(ast.parse("Decision.objects.filter(pk=1).update(comment='')"), names)
    assert not [f"{path}:{line}" for path, tree in modules() for line in _changes(tree, names)]


# --- actions ---------------------------------------------------------------------------------------------------------
def test_actions_take_their_arguments_by_name_and_their_actor_as_by():
    wrong = []
    for path, tree in modules("portal"):
        if not path.endswith(("/actions.py", "/access/grants.py")):
            continue
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                names = [argument.arg for argument in node.args.kwonlyargs]
                positional = [argument.arg for argument in node.args.args]
                if positional not in ([], ["request"], ["grant"], ["deployment", "person"]) or {"user", "actor"} & set(
                    names
                ):
                    wrong.append(f"{path}:{node.lineno} {node.name}({', '.join(positional)})")
    assert not wrong


def test_nothing_hides_in_signals_or_overridden_saves():
    """An action itself does everything that belongs to saving a row. `User.save` refuses to save all columns."""
    wrong = []
    for path, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                wrong += [
                    f"{path}:{one.lineno} {one.name}"
                    for one in node.body
                    if getattr(one, "name", "") in ("save", "delete")
                ]
            if isinstance(node, ast.ImportFrom) and node.module == "django.db.models.signals":
                wrong.append(f"{path}:{node.lineno} {node.module}")
    # the check in `User.save`; Django's own interface of a session store
    known = r"accounts/models\.py:\d+ save|accounts/sessions\.py:\d+ delete"
    assert [line for line in wrong if not re.fullmatch(known, line)] == []


# --- size and words --------------------------------------------------------------------------------------------------
def test_no_module_is_too_long_to_read():
    lengths = {
        str(path.relative_to(HOME)): len(path.read_text().splitlines())
        for path in files()
        if path.suffix in (".py", ".js", ".css", ".html") and path.relative_to(HOME).parts[0] not in ("docs",)
    }
    long = {name: length for name, length in lengths.items() if length > ASK_WHY}
    if long:
        print(f"longer than {ASK_WHY} lines: {long}")
    assert not {name: length for name, length in lengths.items() if length > TOO_LONG}


MACHINE = re.compile(
    r"""(?<![\w.$}/-])/(?:work|root|home/[a-z]+|Users/[A-Za-z]+|tmp/w|tmp/bash|var/folders)/(?=[\w.])"""
    r"""|--(?:extra-)?index-url|--find-links|--trusted-host""",
)


def test_the_guard_sees_paths_of_a_machine():
    assert MACHINE.search("see /wo" + "rk/main/x") and MACHINE.search("'/ro" + "ot/.config'")
    assert not MACHINE.search("https://example.com/work/1") and not MACHINE.search("/usr/lib/postgresql")


def test_no_file_knows_the_machine_it_was_made_on():
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in files():
            try:
                text = path.read_text()
            except UnicodeDecodeError:
                continue
            for match in MACHINE.finditer(text):
                found.append(f"{path.relative_to(HOME)}:{text.count(chr(10), 0, match.start()) + 1} {match[0]}")
    assert not [line for line in found if not line.startswith("tests/guards/test_code.py")]


UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")


def test_nothing_is_left_for_later():
    found = [
        f"{path.relative_to(HOME)}: {match[0]}"
        for path in files()
        if path.suffix in (".py", ".html", ".css", ".js", ".toml", ".md") and path.name != "test_code.py"
        for match in UNFINISHED.finditer(path.read_text())
    ]
    assert not found
