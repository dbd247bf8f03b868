"""What a team has already: read from Compose files or a running engine, as one `Project`."""
