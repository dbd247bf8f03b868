"""Measurements of the daemon: beside blackbox_exporter (`python -m benchmarks`), and over time (`benchmarks.soak`)."""
