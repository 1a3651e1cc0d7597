"""The names of the operation kinds of this room; `operation_kinds` registers them."""

TRIGGER_RUN = "trigger_run"
PAUSE_DAG = "pause_dag"
UNPAUSE_DAG = "unpause_dag"
CANCEL_RUN = "cancel_run"
RETRY_RUN = "retry_run"
CLEAR_TASK = "clear_task"
SET_VARIABLE = "set_variable"
SWITCHES = (PAUSE_DAG, UNPAUSE_DAG)
RETRIES = (RETRY_RUN, CLEAR_TASK)
RUN_CHANGES = (CANCEL_RUN, *RETRIES)
