"""Every mistake is refused with its line, its key, the reason and the way out."""

from datetime import timedelta

import pytest

from portal.airflow.service_accounts import ROLES
from portal.catalogue import loader, values
from portal.catalogue.document import Document
from portal.catalogue.mistakes import FileRefused
from tests.unit.catalogue.texts import GOOD, line_of, with_change


def mistakes(text):
    with pytest.raises(FileRefused) as refusal:
        loader.loads(text.encode() if isinstance(text, str) else text, name="gatehouse.toml")
    return refusal.value.mistakes


@pytest.mark.parametrize("other", ["DATA", "ｄａｔａ", "d\u0430ta"])
def test_groups_that_look_alike_are_refused_with_both_names(other):
    text = with_change("data = {}", f'data = {{}}\n"{other}" = {{}}')
    [mistake] = mistakes(text)
    written = other.encode("unicode_escape").decode()
    assert mistake.line == line_of(text, f'"{other}" = ')
    assert mistake.reason == f"“{other}” ({written}) is, or looks like, “data” above; keep one, or rename one."


def test_a_valid_file():
    document = loader.loads(GOOD.encode(), name="gatehouse.toml").document
    assert [spec.key for spec in document.entitlements] == ["prod/role/Op", "prod/dag/sales_report/view"]
    assert document.entitlements[0].max_duration == timedelta(hours=8)
    assert document.policies["at-once"].stages == []
    assert document.policies["at-once"].pending_for == timedelta(days=7)
    assert document.policies["at-once"].conflicts_with == ["prod/role/Op"], "the short form is written out"
    assert document.deployments["prod"].create_users == "never"
    assert document.dags[0].locked == {"env": "prod"}


def test_a_stored_document_is_read_back_the_same():
    document = loader.loads(GOOD.encode(), name="x").document
    assert Document.model_validate(document.as_json()) == document
    assert document.as_json()["deployments"]["prod"]["runner"]["password"] == {"file": "/run/secrets/runs"}


def test_a_missing_file_is_reported_with_the_init_command(tmp_path):
    with pytest.raises(FileRefused, match=r"cannot be read: No such file.*catalogue init"):
        loader.load(tmp_path / "gatehouse.toml")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[deployments.prod\n", 1, "this is not TOML"),
        ('a = 1\nb = "x\n', 2, "this is not TOML"),
        ("a = 1\na = 2\n", 2, "this is not TOML: cannot overwrite a value"),
        (b"a = 1\nb = '\xff'\n", 2, "not UTF-8"),
        ("a = " + "[" * 50_000, 0, "nested too deeply"),
        (b"#" * 2_000_001, 0, "at most 2000000"),
    ],
)
def test_invalid_toml(text, line, said):
    [mistake] = mistakes(text)
    assert mistake.line == line
    assert said in mistake.reason


# what is changed, into what, where the mistake is, its key, what is said about it
CASES = [
    (
        'url = "https://airflow.example.com"',
        "url = 1",
        "url",
        "deployments.prod.url",
        'takes text in quotes, like "Op", not 1',
    ),
    (
        "https://airflow.example.com",
        "http://airflow.example.com",
        "url",
        "deployments.prod.url",
        "plain http to airflow.example.com",
    ),
    ("https://airflow", "https://user:hunter2@airflow", "url", "deployments.prod.url", "user name or password"),
    ("example.com", "example.com/home", "url", "deployments.prod.url", "ends with “/home”"),
    ("example.com", "example.com/api/v2/", "url", "deployments.prod.url", "a page and not the root of Airflow"),
    ("example.com", "example.com/?next=1", "url", "deployments.prod.url", "and what follows"),
    ("https://airflow.example.com", "airflow.example.com", "url", "deployments.prod.url", "write it like https://"),
    ("https://airflow.example.com", "https://x:99999", "url", "deployments.prod.url", "not an address"),
    ("[groups]", 'api = "v3"\n[groups]', "api", "deployments.prod.api", "this takes 'v1' or 'v2', not “v3”"),
    ("[groups]", 'variables = ["a/b"]\n[groups]', "variables", "deployments.prod.variables[1].key", "no slash"),
    ("[groups]", 'ca_bundle = "own.pem"\n[groups]', "ca_bundle", "deployments.prod.ca_bundle", "begins with “/”"),
    ("[groups]", "max_concurrent = 0\n[groups]", "max_concurrent", "deployments.prod.max_concurrent", "at least 1"),
    (
        'granter = { username = "gatehouse-access", ',
        'granter = { kind = "token", username = "gatehouse-access", ',
        "granter",
        "deployments.prod.granter",
        'kind = "token" needs token too',
    ),
    ("[groups]", 'apy = "v2"\n[groups]', "apy", "deployments.prod.apy", "Did you mean “api”?"),
    (
        "[groups]",
        'create_users = "locale"\n[groups]',
        "create_users",
        "deployments.prod.create_users",
        "Did you mean “local”?",
    ),
    (
        '{ env = "PROD_ACCESS" }',
        '"hunter2"',
        "granter",
        "deployments.prod.granter.password",
        "must not be in the file",
    ),
    ('{ env = "PROD_ACCESS" }', "12345", "granter", "deployments.prod.granter.password", "must not be in the file"),
    (
        '"PROD_ACCESS"',
        '"hunter2!"',
        "granter",
        "deployments.prod.granter.password.env",
        "the name of an environment variable",
    ),
    (
        'env = "PROD_ACCESS"',
        'env = "A", file = "/b"',
        "granter",
        "deployments.prod.granter.password",
        "exactly one place of the secret",
    ),
    ('env = "PROD_ACCESS"', "", "granter", "deployments.prod.granter.password", "exactly one place of the secret"),
    ('"/run/secrets/runs"', '"secrets/runs"', "runner", "deployments.prod.runner.password.file", "begins with “/”"),
    ("[deployments.prod]", "[deployments.Prod]", "[deployments.Prod]", "deployments.Prod", "1 to 40 of a-z"),
    ('role = "admin"', 'role = "owner"', "admins", "groups.admins.role", "'auditor' or 'admin'"),
    (
        '["group:data"]\nstages = [{',
        '["data"]\nstages = [{',
        'may_request = ["data"]',
        "policies.one-lead.may_request[1]",
        "write group:<name> or user:",
    ),
    (
        '["group:data"]\nstages = [{',
        '"group:data"\nstages = [{',
        'may_request = "',
        "policies.one-lead.may_request",
        "a list in square brackets",
    ),
    (
        '["group:data"]\nstages = [{',
        "[]\nstages = [{",
        "may_request = []",
        "policies.one-lead.may_request",
        "name at least one",
    ),
    (
        '"group:leads", ',
        '"group:lead", ',
        "stages = [{",
        "policies.one-lead.stages[1].approvers[1]",
        "no group “lead” in this file. Did you mean “leads”?",
    ),
    (
        '"group:leads", ',
        '"group:zebra", ',
        "stages = [{",
        "policies.one-lead.stages[1].approvers[1]",
        "Add [groups.zebra]",
    ),
    (
        '["group:leads", "user:boss"], quorum = 1',
        '["user:boss", "user:boss"], quorum = 2',
        "stages = [{",
        "policies.one-lead.stages[1]",
        "quorum of 2 can never be reached",
    ),
    (
        'approvers = ["group:leads", "user:boss"], ',
        "",
        "stages = [{",
        "policies.one-lead.stages[1].approvers",
        "“approvers” is missing",
    ),
    ('["group:leads", "user:boss"]', "[]", "stages = [{", "policies.one-lead.stages[1].approvers", "name at least one"),
    ("quorum = 1", 'quorum = "1"', "stages = [{", "policies.one-lead.stages[1].quorum", "a whole number, not “1”"),
    ("quorum = 1", "quorum = true", "stages = [{", "policies.one-lead.stages[1].quorum", "a whole number, not true"),
    ("quorum = 1", "quorum = 0", "stages = [{", "policies.one-lead.stages[1].quorum", "at least 1"),
    ("stages = []\n", "", "[policies.at-once]", "policies.at-once.stages", "“stages” is missing"),
    ('pending_for = "3d"', "pending_for = 3", "pending_for", "policies.one-lead.pending_for", "written as text"),
    (
        'pending_for = "3d"',
        'pending_for = "3 moons"',
        "pending_for",
        "policies.one-lead.pending_for",
        "examples: 30m, 8h, 3d",
    ),
    ('pending_for = "3d"', 'pending_for = "91d"', "pending_for", "policies.one-lead.pending_for", "beyond the limits"),
    ('pending_for = "3d"', 'ticket = "(OPS"', "ticket", "policies.one-lead.ticket", "not a regular expression"),
    ('pending_for = "3d"', 'ticket = "^(?!x)a$"', "ticket", "policies.one-lead.ticket", "look-ahead and look-behind"),
    (
        'pending_for = "3d"',
        'ticket_url = "https://t.example.com/{ticket}"',
        "[policies.one-lead]",
        "policies.one-lead",
        "write ticket =",
    ),
    (
        'pending_for = "3d"',
        'ticket = "a"\nticket_url = "https://{ticket}.example.com/"',
        "ticket_url",
        "policies.one-lead.ticket_url",
        "after the server's name",
    ),
    (
        'pending_for = "3d"',
        'ticket = "a"\nticket_url = "javascript:alert({ticket})"',
        "ticket_url",
        "policies.one-lead.ticket_url",
        "not an address",
    ),
    (
        'pending_for = "3d"',
        'ticket = "a"\nticket_url = "https://t.example.com/"',
        "ticket_url",
        "policies.one-lead.ticket_url",
        "write {ticket} once",
    ),
    (
        'pending_for = "3d"',
        'ticket = "a"\nticket_example = "b"',
        "[policies.one-lead]",
        "policies.one-lead",
        "does not match",
    ),
    ('pending_for = "3d"', "break_glass = true", "[policies.one-lead]", "policies.one-lead", "granted at once"),
    (
        '["prod/Op"]',
        '["prod/Nope"]',
        "conflicts_with",
        "policies.at-once.conflicts_with[1]",
        "no entitlement “prod/role/Nope”",
    ),
    ('["prod/Op"]', '["Op"]', "conflicts_with", "policies.at-once.conflicts_with[1]", "write it like prod/role/Op"),
    (
        'deployment = "prod"\ndag = "sales_report"\nlevel',
        'deployment = "prd"\ndag = "sales_report"\nlevel',
        'deployment = "prd"',
        "entitlements[2].deployment",
        "Did you mean “prod”?",
    ),
    ('role = "Op"\n', "", "[[entitlements]]", "entitlements[1]", "either for a role"),
    ('role = "Op"\n', 'role = "Op"\ndag = "x"\n', "[[entitlements]]", "entitlements[1]", "either for a role"),
    ('role = "Op"\n', 'role = "Op"\nlevel = "view"\n', "[[entitlements]]", "entitlements[1]", "only with dag"),
    ('role = "Op"\n', 'role = "gatehouse_view_x"\n', "role = ", "entitlements[1].role", "Gatehouse's own"),
    (
        'role = "Op"\n',
        'role = "Gatehouse granter"\n',
        "role = ",
        "entitlements[1].role",
        "could make themselves Admin",
    ),
    ('role = "Op"\n', 'role = "GATEHOUSE Runner"\n', "role = ", "entitlements[1].role", "Offer another role"),
    ('level = "view"\n', "", "[[entitlements]]", "entitlements[2]", "only with dag"),
    (
        'dag = "sales_report"\nlevel',
        'dag = "sales_*"\nlevel',
        "dag = ",
        "entitlements[2].dag",
        "“sales_*” is a pattern",
    ),
    ('dag = "sales_report"\nlevel', 'dag = "a/b"\nlevel', "dag = ", "entitlements[2].dag", "1 to 250 letters"),
    ('title = "Operator"', 'title = " "', "title", "entitlements[1].title", "the text is empty"),
    ('title = "Operator"', f'title = "{"x" * 201}"', "title", "entitlements[1].title", "at most 200 characters"),
    ('risk = "high"', 'risk = "hihg"', "risk", "entitlements[1].risk", "Did you mean “high”?"),
    (
        'max_duration = "8h"',
        'max_duration = "366d"',
        "max_duration",
        "entitlements[1].max_duration",
        "access may last from 1 minute to 365 days",
    ),
    (
        'max_duration = "8h"',
        'max_duration = "59s"',
        "max_duration",
        "entitlements[1].max_duration",
        "beyond the limits",
    ),
    ('max_duration = "8h"\n', "", "[[entitlements]]", "entitlements[1].max_duration", "“max_duration” is missing"),
    ('policy = "one-lead"', 'policy = "one-laed"', "policy", "entitlements[1].policy", "Did you mean “one-lead”?"),
    ('actions = ["trigger", "pause"]', "actions = []", "actions", "dags[1].actions", "name at least one"),
    ('"trigger", "pause"', '"trigger", "puase"', "actions", "dags[1].actions[2]", "Did you mean “pause”?"),
    ('who = ["group:data"]\n', "", "[[dags]]", "dags[1]", "nobody could see it"),
    ('env = "prod" }', "day = 2026-01-01 }", "locked", "dags[1].locked", "“day” is a date"),
    ('env = "prod" }', "x = { y = nan } }", "locked", "dags[1].locked", "“x.y” is nan"),
    (
        'env = "prod" }',
        "x = [1, 18446744073709551616] }",
        "locked",
        "dags[1].locked",
        "“x” holds a whole number of more than 64",
    ),
    ("max_runs_per_hour = 6", "max_runs_per_hour = 0", "max_runs_per_hour", "dags[1].max_runs_per_hour", "at least 1"),
    ("[[dags]]", "[[dag]]", "[[dag]]", "dag", "Did you mean “dags”?"),
]


@pytest.mark.parametrize(("old", "new", "part", "key", "said"), CASES, ids=[f"{case[3]}: {case[4]}" for case in CASES])
def test_one_mistake(old, new, part, key, said):
    text = with_change(old, new)
    [mistake] = mistakes(text)
    assert mistake.key == key
    assert said in mistake.reason
    # the part is looked for from the change on, for the same key may stand in an earlier table too
    start = max(text.rfind(part, 0, text.index(new) + len(new)) if new else text.rfind(part, 0, GOOD.index(old) + 1), 0)
    assert mistake.line == text[:start].count("\n") + 1


def test_the_same_thing_offered_twice():
    again = GOOD[GOOD.index("[[entitlements]]") :]
    found = mistakes(GOOD + again)
    assert [mistake.key for mistake in found] == ["entitlements[3]", "entitlements[4]", "dags[2]"]
    assert "first as entitlements[1]" in found[0].reason
    assert found[0].line == GOOD.count("\n") + 1


def test_all_mistakes_are_reported_in_the_order_of_the_file():
    text = with_change('risk = "low"', 'risk = "lo"').replace('url = "https', 'url = "ftp')
    found = mistakes(text)
    assert [mistake.key for mistake in found] == ["deployments.prod.url", "entitlements[2].risk"]


def test_a_refusal_names_file_line_and_key():
    text = with_change('risk = "high"', 'risk = "hihg"')
    with pytest.raises(FileRefused) as refusal:
        loader.loads(text.encode(), name="gatehouse.toml")
    line = line_of(text, "hihg")
    assert refusal.value.detail.splitlines() == [
        "gatehouse.toml is refused: 1 mistake, nothing was changed.",
        f"gatehouse.toml:{line}: entitlements[1].risk: this takes 'low', 'medium' or 'high', not “hihg”. "
        "Did you mean “high”?",
    ]


@pytest.mark.parametrize(
    "text",
    [
        with_change('{ env = "PROD_ACCESS" }', '"hunter2"'),
        with_change("PROD_ACCESS", "hunter2!"),
        with_change("https://airflow", "https://user:hunter2@airflow"),
        with_change("https://airflow.example.com", "htp://user:hunter2@airflow"),
    ],
)
def test_a_secret_written_into_the_file_is_not_repeated(text):
    assert all("hunter2" not in mistake.reason for mistake in mistakes(text))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]"])
def test_plain_http_is_for_this_machine(host):
    text = with_change("https://airflow.example.com", f"http://{host}:8080/airflow/")
    loaded = loader.loads(text.encode(), name="x")
    assert loaded.document.deployments["prod"].url == f"http://{host}:8080/airflow"


@pytest.mark.parametrize(
    ("account", "said"),
    [
        ('{ kind = "token", token = { env = "T" } }', ""),
        ('{ kind = "google" }', ""),
        ('{ kind = "mwaa", environment = "prod", region = "eu-west-1" }', ""),
        (
            '{ kind = "oauth2", token_url = "https://sso.example.com/token", client_id = "gatehouse", '
            'client_secret = { env = "S" } }',
            "",
        ),
        ('{ kind = "oauth2", client_id = "gatehouse" }', "needs client_secret, token_url too"),
        ('{ kind = "mwaa" }', "needs environment too"),
        ('{ kind = "google", password = { env = "P" } }', "has no password; it takes audience, username"),
        ('{ password = { env = "P" } }', 'kind = "password" needs username too'),
        ('{ kind = "kerberos" }', "this takes 'password', 'token', 'oauth2', 'google' or 'mwaa'"),
        ('{ kind = "token", token = "eyJhbGciOi" }', "a secret must not be in the file"),
    ],
)
def test_every_way_to_sign_in(account, said):
    text = with_change('{ username = "gatehouse-access", password = { env = "PROD_ACCESS" } }', account)
    if not said:
        assert loader.loads(text.encode(), name="gatehouse.toml").document.deployments["prod"].granter.kind in account
        return
    [mistake] = mistakes(text)
    assert said in mistake.reason
    assert "eyJhbGciOi" not in mistake.reason


def test_a_token_endpoint_must_be_safe():
    account = (
        '{ kind = "oauth2", token_url = "http://sso.example.com/token", client_id = "gatehouse", '
        'client_secret = { env = "S" } }'
    )
    [mistake] = mistakes(with_change('{ username = "gatehouse-access", password = { env = "PROD_ACCESS" } }', account))
    assert mistake.key == "deployments.prod.granter.token_url"
    assert "must be https" in mistake.reason


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (r"gatehouse\ntouch it", r"'gatehouse\ntouch it' has a space around it, or a line break"),
        (r"gatehouse\rtouch it", r"'gatehouse\rtouch it' has"),
        (r"gatehouse\u2028touch it", r"'gatehouse\u2028touch it' has"),
        (r"gatehouse\u0085touch it", r"'gatehouse\x85touch it' has"),
        (r"gatehouse\u001B[2J", r"'gatehouse\x1b[2J' has"),
        (" gatehouse", "' gatehouse' has a space around it"),
        ("gatehouse ", "remove it"),
        ("--role=Admin", "“--role=Admin” begins with “-”, which looks like an option of a command; use another name"),
    ],
)
def test_a_user_name_is_one_argument_of_a_command(written, said):
    [mistake] = mistakes(with_change('"gatehouse-access"', f'"{written}"'))
    assert mistake.key == "deployments.prod.granter.username"
    assert said in mistake.reason
    assert mistake.reason.isprintable()


@pytest.mark.parametrize("written", ["it's; $HOME", "jörg@example.com", "EXAMPLE\\\\svc"])
def test_other_user_names_are_airflows_business(written):
    assert loader.loads(with_change("gatehouse-access", written).encode(), name="gatehouse.toml")


@pytest.mark.parametrize("field", ["client_id", "scope", "audience"])
def test_what_an_account_says_of_itself_is_printable(field):
    fields = {"client_id": "gatehouse", "scope": "one two", "audience": "airflow", field: r"-x\ny"}
    said = ", ".join(f'{name} = "{value}"' for name, value in fields.items())
    account = (
        f'{{ kind = "oauth2", token_url = "https://sso.example.com/token", client_secret = {{ env = "S" }}, {said} }}'
    )
    text = with_change('{ username = "gatehouse-access", password = { env = "PROD_ACCESS" } }', account)
    [mistake] = mistakes(text)
    assert (mistake.key, mistake.reason[:8]) == (f"deployments.prod.granter.{field}", r"'-x\ny' ")
    assert loader.loads(text.replace(r"\n", "").encode(), name="x"), "it may begin with “-”: it is in no command"


def test_gatehouses_own_roles_are_known_by_the_names_it_gives_them():
    assert set(values.OWN_ROLES) == set(ROLES.values())


def test_plain_http_where_it_is_wanted():
    text = with_change(
        'url = "https://airflow.example.com"', 'url = "http://airflow.internal:8080"\nallow_plain_http = true'
    )
    assert loader.loads(text.encode(), name="gatehouse.toml").document.deployments["prod"].allow_plain_http is True
