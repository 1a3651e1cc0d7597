"""The portal's settings as tests run them: a data folder of their own, quick passwords, static files as they lie.

The environment of whoever runs the tests has no say, but for TEST_DATABASE_URL, which names the server to make a test
database on (tests/services.py starts one).
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

FOLDER = Path(tempfile.mkdtemp(prefix="gatehouse-tests-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)

for name in [name for name in os.environ if name.startswith("GATEHOUSE_")]:
    del os.environ[name]
os.environ["GATEHOUSE_DATA_DIR"] = str(FOLDER)
os.environ["GATEHOUSE_SECRET_KEY"] = "a secret that guards nothing but tests, and is long enough"
os.environ["GATEHOUSE_LOG_LEVEL"] = "ERROR"
if "TEST_DATABASE_URL" in os.environ:
    os.environ["GATEHOUSE_DATABASE_URL"] = os.environ["TEST_DATABASE_URL"]

from portal.settings import *  # noqa: E402, F403
from portal.settings import DATABASES, STORAGES  # noqa: E402

if "TEST_DATABASE_URL" not in os.environ:
    # a file, not memory: threads of a test and of the web server each have a connection of their own, as in real life
    DATABASES["default"]["TEST"] = {"NAME": str(FOLDER / "test.sqlite3")}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
CELERY_BROKER_URL = "memory://"
CELERY_BROKER_TRANSPORT_OPTIONS = {}
