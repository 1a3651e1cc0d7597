from django.conf import settings

from portal.setup.management.commands.openapi import FILE, document


def test_the_committed_description_is_that_of_the_code() -> None:
    kept = (settings.BASE_DIR / FILE).read_text()
    assert kept == document(), "the API changed: run `manage.py openapi --write` and look at the difference"
