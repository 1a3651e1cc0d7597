import pytest
from django.db import IntegrityError, connection, transaction

from portal.audit.models import AuditEvent, AuditHead
from portal.audit.record import recording
from portal.audit.verbs import Verb

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _three_events() -> None:
    for number in range(3):
        with recording() as trail:
            trail.add(Verb.SIGNED_OUT, by=None, target=f"person {number}")


def test_a_head():
    assert AuditHead.objects.get().seq == 3
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        AuditEvent.objects.update(actor="nobody")
