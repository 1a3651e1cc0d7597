import pytest

from portal.catalogue import patterns


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "^OPS-[0-9]+$",
        r"(?:OPS|INC)-\d{1,8}",
        r"[A-Z]{2,10}-[1-9][0-9]*",
        r"(?i)chg\d{7}",
        "(?:AB){3}",
        r"OPS \{[{]\x{41}\p{Lu}",
        "((?:OPS|INC)-[0-9]+,?)+",
    ],
)
def test_patterns_of_common_tickets_are_supported(pattern):
    assert patterns.checked(pattern) == pattern


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "not a regular expression that RE2 knows .*missing"),
        ("[z-a]", "not a regular expression that RE2 knows"),
        ("\ud800", "an unpaired surrogate"),
        ("x" * 201, "at most 200"),
        ("a{99999999999}", "a repeat is written"),
        ("[0-9]{,8}", "a repeat is written"),
        ("a{1001}", "not a regular expression that RE2 knows"),
        (r"(?=.*\d)[A-Z0-9]{8}", "look-ahead .* from left to right"),
        ("(?<!A)B", "look-behind .* from left to right"),
        (r"(a)\1", "back-references .* write the text out"),
        ("(?P<a>x)(?P=a)", "back-references"),
        ("(a)?(?(1)b|c)", "conditions"),
        ("(?>a+)b", "atomic groups .* plain repeat"),
        ("a++", "possessive"),
        (r"OPS-[0-9]+\Z", "leave it out"),
    ],
)
def test_unsupported_patterns_are_refused_with_an_alternative(pattern, said):
    with pytest.raises(ValueError, match=said):
        patterns.checked(pattern)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)*b", "(a?){30}a{30}", "a*a*a*a*a*a*b"])
def test_no_pattern_takes_exponential_time(pattern):
    """Python's own matcher would not come back from some of these."""
    assert patterns.checked(pattern) == pattern
    assert not patterns.matches(pattern, "a" * 80 + "!")


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("OPS-[0-9]+", "OPS-1", True),
        ("OPS-[0-9]+", "xOPS-1", False),
        ("^OPS-[0-9]+$", "OPS-1\n", False),
        (r"OPS-\d+", "OPS-٣", False),
        ("OPS.", "OPS\ud800", False),
        ("ÖPS.", "ÖPS😀", True),
    ],
)
def test_the_complete_text_must_match(pattern, text, fits):
    assert patterns.matches(pattern, text) is fits


def test_a_pattern_of_an_earlier_release_matches_no_text():
    assert not patterns.matches("OPS-(?!0)[0-9]+", "OPS-1")
    assert not patterns.is_known("OPS-(?!0)[0-9]+")
    assert patterns.is_known("OPS-[0-9]+")
