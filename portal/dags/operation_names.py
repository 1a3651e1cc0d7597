"""The names of the operation kinds of this room; `operation_kinds` registers them."""

TRIGGER_RUN = "trigger_run"
PAUSE_DAG = "pause_dag"
UNPAUSE_DAG = "unpause_dag"
SET_VARIABLE = "set_variable"
SWITCHES = (PAUSE_DAG, UNPAUSE_DAG)
