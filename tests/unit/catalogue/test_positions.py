import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.catalogue import positions
from tests.unit.catalogue.texts import GOOD

AWKWARD = """\
# a comment [not.a.table]
a."b c".'d' = 1 # x = 2
[x]
  y = \"\"\"
[[no]] "" # no
line\"\"\" # [no]
z = [ 1, # comment ]
  [2,3,], {q="}]",w=[
   1]}, "a,b" ]
[[t.u]]
k='''
it's'''
[[t.u]]
[t.u.v]
d = 2020-01-01 10:00:00
e = \"\"\"x\"\"\"\"\"
"lit.key" = 'x'
[[t.u.w]]
j = 1_0.0e3
f = {}
"""


def walk(value, path=()):
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from walk(item, (*path, key))


@pytest.mark.parametrize("text", [GOOD, AWKWARD])
def test_everything_that_tomllib_finds_has_a_line(text):
    assert set(walk(tomllib.loads(text))) == set(positions.lines(text))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a", "b c", "d"), 2),
        (("x",), 3),
        (("x", "y"), 4),
        (("x", "z", 1, 1), 8),
        (("x", "z", 2, "w", 0), 9),
        (("x", "z", 3), 9),
        (("t", "u", 0), 10),
        (("t", "u", 1), 13),
        (("t", "u", 1, "v", "d"), 15),
        (("t", "u", 1, "v", "lit.key"), 17),
        (("t", "u", 1, "w", 0, "j"), 19),
    ],
)
def test_the_line_is_where_it_begins(path, line):
    assert positions.lines(AWKWARD)[path] == line


KEYS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), min_size=1, max_size=8)
LEAVES = st.integers(-99, 99) | st.booleans() | st.text(max_size=12)
VALUES = st.recursive(LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(KEYS, v, max_size=3), max_leaves=12)


def toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[\n" + ",\n# ]\n".join(toml(item) for item in value) + "\n]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in value) + '"'


@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_whatever_stands_in_it(data):
    text = "".join(f"{toml(key)} = {toml(value)}\n" for key, value in data.items())
    assert set(positions.lines(text)) == set(walk(tomllib.loads(text)))
