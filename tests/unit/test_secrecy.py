"""What is secret, and what of it is shown."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core import secret_schema
from portal.core.secrecy import HIDDEN, hidden_in, holds_secret, marks, mask, mask_all, sounds_secret
from portal.core.secret_schema import Place, declared_in, mask_default, mask_schema, places

SECRET_NAMES = [
    *(
        "password",
        "db_passwd",
        "PWD",
        "dbPwd",
        "db_pass",
        "passWord",
        "ＰＡＳＳＷＯＲＤ",
        "pass word",
        "userPassphrase",
    ),
    *("API_KEY", "apikey", "apiKey", "api-key", "APIKey", "Api Key", "private_key", "privateKey", "access.key"),
    *("github_token", "tokens", "Access-Token", "client_secret", "AWS_SECRET_ACCESS_KEY", "credentials", "bearer"),
    *("connectionString", "connection_string", "conn_uri", "DATABASE_URL", "dsn", "webhook_url", "http_proxy"),
    *("keyfile_dict", "service_account", "authorisation", "Authorization", "auth", "basic_auth", "jwt", "비밀번호"),
    *("DB_PASS_PROD", "dbPassTest2", "passkey", "session_key", "contraseña", "CONTRASEÑA_DB", "senha", "senhaBanco"),
    *("mot_de_passe", "motDePasse", "пароль", "пароля_бд", "pаsswоrd", "tоken", "pass\u200bword", "аpi_kеy"),
]
OTHER_NAMES = [
    *("region", "key", "primary_key", "pass_through", "author", "authority", "compass", "id", "pin", "records_name"),
    *("first_pass_only", "pass_count", "passenger", "session", "desenhar", "марка", "регион"),
    *("max_tokens", "maxNewTokens", "token_count", "tokenizer", "secretary", "dry_run", "date", ""),
]
TEXTS_WITH_SECRETS = [
    *("postgres://u:p@h/db", "redis://:pw@h:6379/0", "postgresql+psycopg://u:p/w%20x@h", "amqp://u:p:w@h"),
    *(
        "https://h/hook?token=abc",
        "https://h/?a=1&sig_token=x",
        "Server=a;User Id=u;Password=p;",
        "host=h password='p'",
    ),
    *("AccountName=a;AccountKey=k==", "jdbc:postgresql://h/db?user=u&password=p", "Authorization: Bearer abcdefgh"),
    *("-----BEGIN RSA PRIVATE KEY-----\nx", "Basic dXNlcjpwYXNz", "glpat-abcdefghijkl", "eyJhbGciOiJI.eyJzdWIiOiIx.x"),
    *(
        '{"p\\u0061ssword": "x", "p\\u0061ssword": ""}',
        '{"password": "x"}',
        '[{"hosts": [{"apiKey": "x"}]}]',
        '{"a": ' * 3000,
    ),
]
OTHER_TEXTS = [
    *("", "EU", "hello: world", "a=b", "https://h:8080/users/@me", "ssh://git@github.com/a", "postgres://u@h/db"),
    *("2026-11-21T17:00:00+00:00", "[", '{"n": 1}', "password", "ask lead@example.com", "PT2H", "key=value"),
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_names_of_secrets(name):
    assert sounds_secret(name)
    assert mask({name: "x"}) == {name: HIDDEN}


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_names_of_other_things(name):
    assert not sounds_secret(name)
    assert mask({name: "x"}) == {name: "x"}


@pytest.mark.parametrize("text", TEXTS_WITH_SECRETS)
def test_texts_that_hold_a_secret(text):
    assert holds_secret(text)
    assert mask({"anything": [text]}) == {"anything": [HIDDEN]}


@pytest.mark.parametrize("text", OTHER_TEXTS)
def test_other_texts(text):
    assert not holds_secret(text)
    assert mask({"anything": [text]}) == {"anything": [text]}


def test_everything_below_a_secret_name_is_hidden_except_empty_values():
    value = {"auth": {"user": "u", "n": [1, 2.5, None, True, ""]}, "tokens": ["a"], "region": "EU"}
    assert mask(value) == {
        "auth": {"user": HIDDEN, "n": [HIDDEN, HIDDEN, None, True, ""]},
        "tokens": [HIDDEN],
        "region": "EU",
    }
    assert mask("x", name="password") == HIDDEN


ADDRESS = "postgres://u:NESTED@h/db"


def test_an_object_with_a_secret_in_a_key_is_hidden_whole():
    value = {"region": {ADDRESS: 1, "eu": 2}, "day": "x"}
    masked = mask(value)
    assert masked == {"region": HIDDEN, "day": "x"}
    assert list(hidden_in(value, masked)) == [(("region",), {ADDRESS: 1, "eu": 2})]


@pytest.mark.parametrize(
    "pair", [{"name": "DB_PASSWORD", "value": "x"}, {"key": "api_token", "value": ["x"]}, {"Key": "pwd", "Value": "x"}]
)
def test_a_value_beside_its_secret_name_is_hidden(pair):
    (_, name), (held, _) = pair.items()
    masked = mask({"env": [pair]})["env"][0]
    assert name in masked.values() and "x" not in json.dumps(masked[held])


def test_a_value_beside_another_name_is_shown():
    value = [{"name": "region", "value": "EU"}, {"name": {"pwd": ""}, "value": 1}, {"key": 2, "value": 3}]
    assert mask(value) == value


def test_where_no_schema_is_known_everything_is_hidden():
    assert mask_all({"region": "EU", "n": [1], "dry_run": True}) == {"region": HIDDEN, "n": [HIDDEN], "dry_run": True}


def test_too_deeply_nested_values_are_hidden():
    value: object = "x"
    for _ in range(500):
        value = [value]
    assert "x" not in json.dumps(mask(value))


SCHEMA = {
    "type": "object",
    "properties": {
        "host": {"type": "string", "default": "h"},
        "word": {"type": "string", "format": "Password", "default": "NESTED", "examples": ["NESTED"]},
        "pin": {"type": ["integer", "null"], "writeOnly": True, "enum": [4711]},
        "api-key": {"const": "NESTED"},
        "many": {"type": "array", "items": {"anyOf": [{"format": "password"}, {"type": "null"}]}},
        "more": {"$ref": "#/$defs/more"},
    },
    "patternProperties": {"^x": {"properties": {"code": {"format": "password"}}}},
    "$defs": {"more": {"properties": {"code": {"writeOnly": True, "default": "NESTED"}}}},
    "default": {"word": "NESTED"},
    "examples": [{"many": ["NESTED"]}],
}
VALUE = {
    "host": "h",
    "word": "NESTED",
    "pin": 4711,
    "api-key": "NESTED",
    "many": ["NESTED", None],
    "more": {"code": "NESTED", "other": 1},
    "x1": {"code": "NESTED"},
}


def test_what_a_schema_declares_secret_is_hidden():
    assert mask_default("conn", VALUE, SCHEMA) == {
        "host": "h",
        "word": HIDDEN,
        "pin": HIDDEN,
        "api-key": HIDDEN,
        "many": [HIDDEN, None],
        "more": {"code": HIDDEN, "other": 1},
        "x1": {"code": HIDDEN},
    }
    assert mask_default("pin", "4711", {"type": "string", "format": "password"}) == HIDDEN
    assert mask_default("pin", "4711", {"type": "string"}) == "4711"


def test_a_schema_is_shown_without_values_of_secrets():
    shown = mask_schema("conn", SCHEMA)
    assert "NESTED" not in json.dumps(shown) and "4711" not in json.dumps(shown)
    assert shown["properties"]["host"] == {"type": "string", "default": "h"}
    assert mask_schema("token", {"type": "string", "enum": ["a"], "title": "T"}) == {"type": "string", "title": "T"}
    assert mask_schema("region", {"enum": ["EU"], "default": "EU"}) == {"enum": ["EU"], "default": "EU"}


TEXT = {"type": "string", "default": "HIDE"}
OF_ITSELF = {**TEXT, "not": {"$ref": "#/$defs/node"}}


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"db_password": {"$ref": "#/$defs/text"}}, "$defs": {"text": TEXT}},
        {"properties": {"db_password": {"$ref": "#/definitions/text"}}, "definitions": {"text": TEXT}},
        {
            "properties": {"word": {"format": "password", "allOf": [{"$ref": "#/$defs/one"}]}},
            "$defs": {"one": {"$ref": "#/$defs/two"}, "two": TEXT},
        },
        {
            "properties": {"word": {"allOf": [{"$ref": "#/$defs/text"}, {"format": "password"}]}},
            "$defs": {"text": TEXT},
        },
        {"properties": {"apiKey": {"items": {"$ref": "#/properties/free"}}, "free": TEXT}},
        {"properties": {"token": {"$ref": "#/$defs/node"}}, "$defs": {"node": OF_ITSELF}},
    ],
)
def test_the_default_of_a_secret_is_hidden_where_it_stands_behind_a_reference(schema):
    assert "HIDE" not in json.dumps(mask_schema("conn", schema))


def test_the_default_behind_a_reference_that_no_secret_uses_is_shown():
    schema = {"properties": {"host": {"$ref": "#/$defs/text"}, "word": {"format": "password"}}, "$defs": {"text": TEXT}}
    assert mask_schema("conn", schema) == schema


def test_places_where_a_secret_is_entered():
    assert places("conn", {"host": "h", "extra": {"token": "t"}}, SCHEMA) == [
        Place(("conn", "word"), text=True),
        Place(("conn", "pin"), text=False),
        Place(("conn", "api-key"), text=True),
        Place(("conn", "more", "code"), text=True),
        Place(("conn", "extra", "token"), text=True),
    ]
    assert places("password", {"secret": "x"}, {"type": "object"}) == [Place(("password",), text=False)]
    assert places("region", "EU", {"enum": ["EU"]}) == []


@pytest.mark.parametrize("reference", ["#", "#/$defs/node"])
def test_a_recursive_schema_terminates(reference):
    parts = {"left": {"$ref": reference}, "right": {"$ref": reference}}
    schema = {"properties": parts, "$defs": {"node": {"properties": parts}}}
    assert declared_in("tree", schema) == []
    parts["word"] = {"format": "password"}
    assert declared_in("tree", schema) == [("tree",)]


@pytest.mark.parametrize("schema", [None, True, [], {"properties": 7, "items": 7, "anyOf": 7, "$ref": "#/nothing"}])
def test_an_invalid_schema_causes_no_error(schema):
    assert declared_in("x", schema) == []
    assert places("x", None, schema) == []
    assert mask_schema("x", schema) == schema


def test_hidden_values_are_returned_with_their_path():
    value = {"a": [{"password": "p", "n": 1}], "dsn": "d"}
    assert list(hidden_in(value, mask(value))) == [(("a", "0", "password"), "p"), (("dsn",), "d")]


def test_marks_that_were_sent_back():
    assert list(marks({"a": [HIDDEN, "x"], "password": HIDDEN})) == [("a", "0"), ("password",)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(JSON, st.sampled_from(SECRET_NAMES))
def test_nothing_below_a_secret_name_is_left(value, name):
    masked = mask({"outer": [{name: value}]})
    assert mask(masked) == masked
    text = json.dumps(masked)
    for _, secret in hidden_in({"outer": [{name: value}]}, masked):
        assert secret != HIDDEN
    leaves = json.loads(text, parse_int=lambda number: pytest.fail(f"{number} is shown"))
    assert leaves == masked


@pytest.mark.parametrize("text", ["xgh_{}", "token:gh_{}", "_gh_{}9"])
def test_a_complete_token_is_found_wherever_it_begins(text):
    assert holds_secret(text.format("abcdefghijkl_" + "A" * 38))


def test_parts_that_refer_to_each_other_are_looked_at_once(monkeypatch):
    looked = []
    parts = secret_schema._parts
    monkeypatch.setattr(secret_schema, "_parts", lambda at, schema: looked.append(1) or parts(at, schema))

    def cost(size: int) -> int:
        looked.clear()
        crossing = {
            f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{(n * 7 + k) % size}"} for k in (1, 2, 3)]} for n in range(size)
        }
        mask_schema("region", {"allOf": [{"$ref": "#/$defs/d0"}], "$defs": crossing})
        return len(looked)

    assert cost(80) <= 2.5 * cost(40)
