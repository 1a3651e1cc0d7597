"""The demo: a real Airflow, people and a catalogue to try."""
