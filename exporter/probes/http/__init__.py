"""Probe of HTTP/1.1 and HTTP/2, directly or through a proxy."""
