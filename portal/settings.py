"""All settings, read from the environment. A wrong one stops the start with its name, its value and what to do.

`manage.py check_config` prints every variable with its source. Secrets may be given as NAME or as NAME_FILE (a path).
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from portal import env

# files that the portal writes (database, broker, logs, exports) are readable only by its own account
os.umask(0o077)

BASE_DIR = Path(__file__).resolve().parent.parent

# --- where things are ------------------------------------------------------------------------------------------------
DEBUG = env.flag("GATEHOUSE_DEBUG", default=False)
DEMO = env.flag("GATEHOUSE_DEMO", default=False)  # the sign-in page offers the demo's people, one click each
DATA_DIR = env.path("GATEHOUSE_DATA_DIR", default=BASE_DIR / ".data")
CONFIG_FILE = env.path("GATEHOUSE_CONFIG", default=BASE_DIR / "gatehouse.toml")
PUBLIC_URL = env.url("GATEHOUSE_PUBLIC_URL", default="http://127.0.0.1:8000")
SECRET_KEY = env.secret("GATEHOUSE_SECRET_KEY", generated_in=DATA_DIR / "secret_key")
ALLOWED_HOSTS = env.words("GATEHOUSE_ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL.startswith("https://") else []
TRUSTED_PROXIES = env.proxies("GATEHOUSE_TRUSTED_PROXIES")

# --- applications ----------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "portal.setup",  # first: its commands take the place of Django's own of the same name
    "accounts",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "allauth",
    "allauth.account",
    "django_htmx",
    "template_partials",
    "heroicons",
    "portal.ui",
    "portal.audit",
    "portal.catalogue",
    "portal.airflow",
    "portal.operations",
    "portal.approvals",
    "portal.access",
    "portal.dags",
    "portal.worker",
    "portal.web",
    "portal.api",
    "portal.serving",
    "portal.demo",
]
MIDDLEWARE = [
    "portal.ui.input.CleanInputMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "portal.ui.middleware.SecurityHeadersMiddleware",
    "portal.ui.middleware.GZipPagesMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "portal.ui.middleware.AuditSourceMiddleware",
    "portal.ui.middleware.TimeZoneMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "portal.ui.middleware.ErrorsMiddleware",
    "portal.ui.input.BoundsMiddleware",
]
ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
APPEND_SLASH = False

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.web.frame.context",
            ],
            "builtins": [
                "template_partials.templatetags.partials",
                "django.templatetags.static",
                "portal.ui.templatetags.gatehouse",
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# --- database --------------------------------------------------------------------------------------------------------
DATABASES: dict[str, dict[str, Any]] = {
    "default": env.database("GATEHOUSE_DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'gatehouse.sqlite3'}")
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- people ----------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "/login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = "/login"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_RATE_LIMITS = False  # ours are in accounts.attempts
SESSION_ENGINE = "accounts.sessions"
SESSION_COOKIE_AGE = int(timedelta(hours=12).total_seconds())

# --- background work -------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = env.text("GATEHOUSE_BROKER_URL", default="embedded://", secret=True)
# notifying a worker must not delay a person's request: a broker that does not answer times out within a second
CELERY_BROKER_CONNECTION_TIMEOUT = 1
CELERY_BROKER_TRANSPORT_OPTIONS = env.broker_options(CELERY_BROKER_URL, folder=DATA_DIR / "broker")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for its broker without a limit
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULER = "portal.serving.beat:Scheduler"
# due work is started by timers in the workers (portal/worker/timers.py); only upkeep comes through the broker
CELERY_BEAT_SCHEDULE = {
    "keep_up": {"task": "portal.worker.tasks.keep_up", "schedule": 3600.0, "options": {"expires": 3600}}
}

# --- security --------------------------------------------------------------------------------------------------------
_HTTPS = PUBLIC_URL.startswith("https://")
SECURE_SSL_REDIRECT = False
SECURE_HSTS_SECONDS = 31_536_000 if _HTTPS else 0
# the proxy redirects http to https; HSTS for subdomains and preload lists is a decision of the domain's owner
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W021"]
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _HTTPS
SESSION_COOKIE_NAME = "__Host-session" if _HTTPS else "gatehouse_session"
CSRF_COOKIE_NAME = "__Host-csrf" if _HTTPS else "gatehouse_csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "portal.web.errors.csrf_failure"
X_FRAME_OPTIONS = "DENY"
# same name and form as the setting of Django 6, so that this can simply be deleted there
SECURE_CSP = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "connect-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "font-src": ["'self'"],
    "manifest-src": ["'self'"],
    "form-action": ["'self'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
}

# --- the API ---------------------------------------------------------------------------------------------------------
API_CALLS_PER_MINUTE = env.number("GATEHOUSE_API_CALLS_PER_MINUTE", default=600)  # of each token

# --- language, time, files -------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en-gb"
USE_I18N = True
USE_TZ = True
TIME_ZONE = env.zone("GATEHOUSE_TIME_ZONE", default="UTC")
STATIC_URL = "/static/"
STATIC_ROOT = env.path("GATEHOUSE_STATIC_ROOT", default=DATA_DIR / "static")
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "portal.core.logs.Line", "format": "{asctime} {levelname} {name}: {message}", "style": "{"}
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    # a line per second and per call to Airflow would hide the important ones
    "loggers": {
        name: {"level": "WARNING"}
        for name in ("celery.worker.strategy", "celery.worker.request", "celery.app.trace", "httpx")
    },
    "root": {"handlers": ["stderr"], "level": os.environ.get("GATEHOUSE_LOG_LEVEL", "INFO")},
}

env.refuse_unknown(prefix="GATEHOUSE_", but={"GATEHOUSE_LOG_LEVEL"}, error=ImproperlyConfigured)
