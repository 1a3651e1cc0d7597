import pytest

from portal.core.errors import Invalid
from portal.core.text import LONGEST_SEARCH, MOST_WORDS, contains_words, fold, search_words


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


def test_words_to_search_for_are_folded_and_each_once() -> None:
    assert search_words("  Müller MU\u0308LLER\tmonth-end ") == ["müller", "month-end"]
    assert search_words("") == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x" * (LONGEST_SEARCH + 1), "421 characters; at most 420"),
        (" ".join(map(str, range(MOST_WORDS + 1))), "21 words; at most 20"),
        ("a\x00b", "cannot be searched for"),
        ("a\ud800b", "cannot be searched for"),
    ],
)
def test_invalid_search_texts_are_reported(text: str, words: str) -> None:
    with pytest.raises(Invalid) as refusal:
        search_words(text)
    assert words in refusal.value.fields["q"]


def test_a_text_contains_words_in_any_spelling() -> None:
    assert contains_words("Month-end close for ZOE\u0301", search_words("zoé CLOSE"))
    assert not contains_words("Month-end close", search_words("close open"))
