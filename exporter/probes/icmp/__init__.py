"""Probe by ICMP echo (ping)."""
