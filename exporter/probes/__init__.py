"""One package per protocol, and shared code. Probes are compiled once, at load, and are cheap to run."""
