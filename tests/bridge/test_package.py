"""The library as others get it: what the wheel has."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatch

from tests.guards.source import HOME


def test_the_wheel_has_no_tests() -> None:
    """The fake Airflow is test equipment."""
    found = tomllib.loads((HOME / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    packages = {".".join(path.parent.relative_to(HOME).parts) for path in HOME.glob("[!.]*/**/__init__.py")}
    inside = {package for package in packages if any(fnmatch(package, pattern) for pattern in found)}
    assert {package.partition(".")[0] for package in inside} == {"accounts", "airflow_bridge", "portal"}
    assert not [package for package in inside if "fake" in package or "test" in package]
