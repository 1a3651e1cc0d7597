import pytest

from portal.text import fold


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ZOÉ", "zoé"),
        ("zoe\u0301", "zoé"),
        ("ｌｅａｄ", "lead"),
        ("Straße", "STRASSE"),
        ("ΣΑΣ", "σας"),
        ("\u1112\u1161\u11ab", "한"),
    ],
)
def test_spellings_of_one_name_fold_alike(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(("one", "other"), [("zoe", "zoé"), ("lead", "lead2"), ("한", "하")])
def test_different_names_fold_apart(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@pytest.mark.parametrize("text", ["ǰ", "\u0345\u0301Α", "İ", "ſ", "ﬃ", "㎏"])
def test_a_fold_is_stable(text: str) -> None:
    assert fold(fold(text)) == fold(text)
