"""One package per protocol, and what they share. Probes are compiled once at load and cheap to run."""
