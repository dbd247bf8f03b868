"""Access to a Docker host: engine, Compose, state folder, lock, ssh. For operators' commands, never for the daemon."""
