import codecs
import io
import json

import pytest
from django.core.management import CommandError, call_command

from accounts.operator import account
from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from tests import trail

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ten_events")]


def run(*args: str) -> str:
    out = io.StringIO()
    call_command("audit", *args, stdout=out)
    return out.getvalue()


def tamper() -> None:
    with trail.triggers_off():
        AuditEvent.objects.filter(seq=3).delete()


def test_verify_prints_what_to_keep_elsewhere():
    last = AuditEvent.objects.get(seq=10)
    said = run("verify")
    assert said.startswith("10 of 10 events verified, no change found.")
    assert said.endswith(f": 10 {last.chain}\n")
    event = AuditEvent.objects.get(seq=11)
    assert (event.verb, event.actor) == (Verb.AUDIT_VERIFIED, f"os:{account()}")


def test_verify_ends_with_1_and_says_what_is_wrong():
    tamper()
    with pytest.raises(CommandError) as caught:
        run("verify")
    assert caught.value.returncode == 1
    assert "event 3 is missing" in str(caught.value)


def test_verify_for_programs(capsys):
    answer = json.loads(run("verify", "--json"))
    assert (answer["ok"], answer["events"], answer["head"]["seq"], answer["problems"]) == (True, 10, 10, [])
    tamper()
    out = io.StringIO()
    with pytest.raises(SystemExit) as caught:
        call_command("audit", "verify", "--json", stdout=out)
    answer = json.loads(out.getvalue())
    assert (caught.value.code, answer["ok"], answer["first_bad"]) == (1, False, 3)


def test_export_to_standard_output():
    lines = run("export", "--target", "REQ-4").splitlines()
    assert [json.loads(line)["event"]["target"] for line in lines] == ["REQ-4"]
    event = AuditEvent.objects.get(seq=11)
    assert (event.verb, event.actor) == (Verb.AUDIT_EXPORTED, f"os:{account()}")


def test_export_to_a_file(tmp_path):
    file = tmp_path / "trail.csv"
    said = run("export", "--format", "csv", "--output", str(file), "--verb", "request.*")
    assert said == f"10 events written to {file}\n"
    assert file.read_bytes().count(b"\r\n") == 11
    assert file.read_bytes().startswith(codecs.BOM_UTF8)
    run("export", "--format", "csv", "--no-bom", "--output", str(file))
    assert file.read_bytes().startswith(b'"seq"')


def test_an_unwritable_file_records_no_export(tmp_path):
    with pytest.raises(CommandError) as caught:
        run("export", "--output", str(tmp_path / "none" / "trail.csv"))
    assert caught.value.returncode == 1
    assert AuditEvent.objects.count() == 10


def test_wrong_filters_end_with_2():
    with pytest.raises(CommandError) as caught:
        run("export", "--verb", "nonsense", "--since", "yesterday")
    assert caught.value.returncode == 2
    assert "--verb: There is no event “nonsense”" in str(caught.value)
    assert "--since: “yesterday” is not a date or time" in str(caught.value)
    assert AuditEvent.objects.count() == 10


def test_wrong_usage_ends_with_2(capsys):
    with pytest.raises(SystemExit) as caught:
        run("export", "--format", "xlsx")
    assert caught.value.code == 2
