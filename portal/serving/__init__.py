"""Running the portal on one machine: web server, supervisor, embedded broker."""
