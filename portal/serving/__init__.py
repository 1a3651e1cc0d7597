"""Serving on one machine: web server, supervisor, embedded broker."""
