"""The command line: one Airflow, named by the environment, asked from a shell or a script.

Exit codes: 0 done; 1 refused or failed, with one line that says why; 2 wrong usage or environment; 3 the run that was
waited for failed; 4 it has not ended in time.
"""

from airflow_bridge.cli.main import INTERRUPTED, main

__all__ = ["INTERRUPTED", "main"]
