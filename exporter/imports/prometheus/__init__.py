"""Reads the configuration of blackbox_exporter and Prometheus, and returns services of a catalog."""
