"""Probe of gRPC servers by the standard health check."""
