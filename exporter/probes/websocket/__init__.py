"""Probe of WebSockets: a handshake, and a message in each direction."""
