"""Measurements of the daemon: compared with blackbox_exporter (`python -m benchmarks`), and over time
(`benchmarks.soak`)."""
