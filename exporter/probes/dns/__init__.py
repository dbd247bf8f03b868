"""Probe of DNS: a query to a server or to the system's resolvers."""
