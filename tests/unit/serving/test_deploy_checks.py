"""What `check --deploy` and `check_config` report about settings and files."""

from __future__ import annotations

import ipaddress

import pytest
from django.core import checks

from portal.core import private
from portal.core.peers import Proxies
from portal.serving import config_checks, deploy_checks


@pytest.fixture
def data(tmp_path, settings, monkeypatch):
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    settings.DATA_DIR = folder
    settings.STATIC_ROOT = folder / "static"
    monkeypatch.setitem(settings.DATABASES["default"], "NAME", folder / "gatehouse.sqlite3")
    return folder


NAMED = Proxies(networks=(ipaddress.ip_network("10.0.0.5"),))


def test_check_deploy_says_what_the_proxy_must_do():
    (found,) = [one for one in checks.run_checks(include_deployment_checks=True) if one.id == "gatehouse.I001"]
    assert "buffer" in found.msg and "limit_conn" in found.hint


def ids():
    return [one.id for one in deploy_checks.findings()]


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, []),
        ({"ALLOWED_HOSTS": ["*"]}, ["gatehouse.W002"]),
        ({"DEMO": True}, ["gatehouse.W003"]),
        ({"PUBLIC_URL": "https://gatehouse.example.com"}, ["gatehouse.W004"]),
        ({"PUBLIC_URL": "https://gatehouse.example.com", "TRUSTED_PROXIES": NAMED}, []),
        ({"TRUSTED_PROXIES": Proxies(count=1)}, ["gatehouse.W001"]),
    ],
)
def test_settings(data, settings, changed, found):
    for name, value in changed.items():
        setattr(settings, name, value)
    assert ids() == found
    assert [one.name for one in config_checks.production()] == found
    assert {one.id for one in checks.run_checks(include_deployment_checks=True)} >= set(found)


@pytest.mark.parametrize("name", ["gatehouse.sqlite3", "gatehouse.sqlite3-wal", "secret_key", "broker/ready/1.json"])
def test_files_open_to_others_are_reported_with_a_chmod_command(data, name):
    file = data / name
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.touch()
    file.chmod(0o640)
    (found,) = deploy_checks.findings()
    assert (found.id, found.is_serious()) == ("gatehouse.E001", True)
    assert f"chmod 600 {file}" in found.msg and "mode 0640" in found.msg
    assert not config_checks.production()[0].ok
    assert private.restrict() == []  # the portal created them
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_data_folder_open_to_others_ends_the_start(data, capsys):
    data.chmod(0o755)
    with pytest.raises(SystemExit) as caught:
        private.exit_if_exposed()
    assert caught.value.code == private.NO_RESTART
    said = capsys.readouterr().err
    assert f"chmod 700 {data}" in said and "mode 0755" in said


def test_the_default_data_folder_is_restricted(data, settings):
    settings.BASE_DIR = data.parent
    settings.DATA_DIR = data.rename(data.parent / ".data")
    settings.DATA_DIR.chmod(0o755)
    private.exit_if_exposed()
    assert settings.DATA_DIR.stat().st_mode & 0o777 == 0o700


def test_a_database_outside_the_data_folder_is_not_changed(data, settings, monkeypatch, tmp_path, capsys):
    elsewhere = tmp_path / "elsewhere.sqlite3"
    elsewhere.touch()
    elsewhere.chmod(0o644)
    monkeypatch.setitem(settings.DATABASES["default"], "NAME", elsewhere)
    with pytest.raises(SystemExit):
        private.exit_if_exposed()
    assert f"chmod 600 {elsewhere}" in capsys.readouterr().err


def test_static_files_may_be_read_by_others(data, settings):
    (settings.STATIC_ROOT / "css").mkdir(parents=True)
    (settings.STATIC_ROOT / "css").chmod(0o755)
    settings.STATIC_ROOT.chmod(0o755)
    assert private.exposed() == []
