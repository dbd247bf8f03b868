"""Containers of the Docker engine: discovery, resource usage, history and logs."""
