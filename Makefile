# Needs Python 3.11 or newer and make; everything else is installed into .venv (and .airflow).
.PHONY: demo demo-reset serve test test-releases bench fmt lock install install-dev
.SUFFIXES:
# with a variable of your own: make demo PYTHON=/opt/python3.12/bin/python3
PYTHON =

# the first of these that is new enough; a name that exists may still be a stub that does not run
define with-python
found=; seen=; \
for name in $(PYTHON) python3 python3.13 python3.12 python3.11 python3.14 python; do \
  version=$$($$name -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || continue; \
  if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then found=$$name; break; fi; \
  seen="$$seen $$name is $$version;"; \
done; \
if [ -z "$$found" ]; then \
  echo "Gatehouse needs Python 3.11 or newer. Found:$${seen:- no Python at all.}" >&2; \
  echo "Install one (Debian and Ubuntu: apt install python3 python3-venv) or name it: make $@ PYTHON=/path/to/python3" >&2; \
  exit 1; \
fi; \
$$found -I -B requirements/install.py
endef

demo: install ## a working portal with a real Airflow, on this machine alone
	@exec .venv/bin/python manage.py demo

demo-reset: install ## delete the demo's data
	@exec .venv/bin/python manage.py demo --reset

serve: install ## the portal, configured by GATEHOUSE_* variables
	@exec .venv/bin/python manage.py serve

test: install-dev ## everything that is checked
	@exec .venv/bin/python -m tests.run

test-releases: install-dev ## the older releases of Airflow and the long random campaigns: after changes of the bridge
	@exec .venv/bin/python -m tests.run --releases

bench: install-dev ## the bridge beside a bare httpx loop and Apache's own clients
	@exec .venv/bin/python -m benchmarks

fmt: install-dev
	@.venv/bin/ruff check --fix . && .venv/bin/ruff format .

install:
	@$(with-python) base

install-dev: install
	@$(with-python) dev

# hashed, for every supported Python, without the address they came from
COMPILE = .venv/bin/python -m uv pip compile --quiet --generate-hashes --universal --python-version 3.11 \
  --no-emit-index-url --custom-compile-command "make lock" pyproject.toml
lock: install-dev
	echo "uv" | $(subst pyproject.toml,-,$(COMPILE)) -o requirements/uv.txt
	$(COMPILE) -o requirements/base.txt
	$(COMPILE) --extra postgres --extra redis -o requirements/server.txt
	$(COMPILE) --group dev -o requirements/dev.txt
