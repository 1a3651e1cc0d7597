"""Nothing that is made for a person is kept by a browser or a proxy."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.usefixtures("airflow")
HTMX = {"HX-Request": "true", "HX-Target": "dags"}


@pytest.mark.parametrize(
    ("address", "status", "headers"),
    [
        ("/", 200, {}),
        ("/dags", 200, HTMX),
        ("/profile", 200, {}),
        ("/audit", 200, {}),
        ("/audit/export?format=csv", 200, {}),
        ("/requests/REQ-999", 404, {}),
        ("/nothing", 404, {}),
        ("/api/v1/me", 401, {}),
    ],
)
def test_answers_are_not_stored(client_as, address, status, headers):
    response = client_as("auditor").get(address, headers=headers)
    assert response.status_code == status
    assert "no-store" in response["Cache-Control"]


def test_a_redirect_is_not_stored(client):
    response = client.get("/audit")
    assert response.status_code == 302
    assert "no-store" in response["Cache-Control"]


def test_static_files_are(client):
    response = client.get("/static/css/app.css")
    assert response.status_code == 200
    assert "no-store" not in response.headers.get("Cache-Control", "")
    response.close()  # it streams the open file
