import pytest

from portal.catalogue import secrets


def test_from_a_variable(monkeypatch):
    monkeypatch.setenv("PROD_ACCESS", "s3cret ")
    assert secrets.resolve({"env": "PROD_ACCESS"}) == "s3cret "


@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_that_is_not_set_is_named(monkeypatch, value):
    monkeypatch.delenv("PROD_ACCESS", raising=False)
    if value is not None:
        monkeypatch.setenv("PROD_ACCESS", value)
    with pytest.raises(secrets.SecretMissing, match="PROD_ACCESS is not set"):
        secrets.resolve({"env": "PROD_ACCESS"})


def test_from_a_file_without_its_line_end(tmp_path):
    file = tmp_path / "secret"
    file.write_text("s3cret\r\n")
    assert secrets.resolve({"file": str(file)}) == "s3cret"
    file.write_text("other\n")
    assert secrets.resolve({"file": str(file)}) == "other", "read anew, so that a rotated secret is taken up"


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot be read: No such file"), (b"\n", "is empty"), (b"\xff\xfe", "it is not text")]
)
def test_an_unreadable_secret_file_is_named(tmp_path, content, said):
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(secrets.SecretMissing, match=said) as refusal:
        secrets.resolve({"file": str(file)})
    assert str(file) in str(refusal.value)
