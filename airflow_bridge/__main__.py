"""`python -m airflow_bridge`: see `airflow_bridge.cli`."""

from __future__ import annotations

import os
import sys

from airflow_bridge.cli import INTERRUPTED, main

if __name__ == "__main__":
    code = main(sys.argv[1:])
    if code == INTERRUPTED:
        os._exit(code)  # without waiting for a page that is still on its way
    sys.exit(code)
