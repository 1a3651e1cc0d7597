"""The library as others get it: what the wheel has, and what it may use of other libraries."""

from __future__ import annotations

import ast
import tomllib
from fnmatch import fnmatch

from tests.guards.source import HOME, modules

LONGEST = 300  # lines of a module


def test_the_wheel_has_no_tests() -> None:
    """The fake Airflow is test equipment."""
    found = tomllib.loads((HOME / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    packages = {".".join(path.parent.relative_to(HOME).parts) for path in HOME.glob("[!.]*/**/__init__.py")}
    inside = {package for package in packages if any(fnmatch(package, pattern) for pattern in found)}
    assert {package.partition(".")[0] for package in inside} == {"accounts", "airflow_bridge", "portal"}
    assert not [package for package in inside if "fake" in package or "test" in package]


def test_other_libraries_are_used_by_what_they_make_public() -> None:
    """Their next release may have a private attribute elsewhere. On `self` it is our own."""
    speaks_http = {"airflow_bridge/wire.py", "airflow_bridge/deadlines.py", "airflow_bridge/limits.py"}
    reached = [
        f"{path}:{node.lineno} {node.attr}"
        for path, tree in modules("airflow_bridge")
        for node in ast.walk(tree)
        if path in speaks_http and isinstance(node, ast.Attribute) and node.attr.startswith("_")
        if not node.attr.endswith("__")
        if not (isinstance(node.value, ast.Name) and node.value.id == "self")
    ]
    assert reached == []


def test_no_module_is_long() -> None:
    lengths = {path: len((HOME / path).read_text().splitlines()) for path, _ in modules("airflow_bridge")}
    assert {path: length for path, length in lengths.items() if length > LONGEST} == {}
