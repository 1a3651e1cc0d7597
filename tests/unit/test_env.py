"""What is read from the environment."""

from __future__ import annotations

import pytest

from portal import env


@pytest.mark.parametrize(("asked", "connect", "keepalives"), [("", 5, 1), ("?connect_timeout=20&keepalives=0", 20, 0)])
def test_a_disappeared_postgres_is_noticed_unless_the_address_overrides_it(monkeypatch, asked, connect, keepalives):
    monkeypatch.setattr(env, "readings", {})
    monkeypatch.setenv("DATABASE", f"postgres://gatehouse:secret@db.example.com/gatehouse{asked}")
    options = env.database("DATABASE", default="")["OPTIONS"]
    assert (int(options["connect_timeout"]), int(options["keepalives"])) == (connect, keepalives)
    assert options["keepalives_idle"] + options["keepalives_interval"] * options["keepalives_count"] <= 60
    assert options["tcp_user_timeout"] <= 60_000
