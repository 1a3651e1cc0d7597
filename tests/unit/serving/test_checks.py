"""What `check --deploy` says of the proxy in front."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks

from portal.peers import Proxies


@pytest.mark.parametrize(("proxies", "warned"), [(Proxies(), False), (Proxies(count=1), True)])
def test_the_proxy_in_front(settings, proxies, warned):
    settings.TRUSTED_PROXIES = proxies
    found = {message.id: message for message in run_checks(include_deployment_checks=True)}
    assert "buffer" in found["gatehouse.I001"].msg and "limit_conn" in found["gatehouse.I001"].hint
    assert ("gatehouse.W001" in found) is warned
