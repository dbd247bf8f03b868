"""Probe of TCP: a connection, an exchange of lines, and STARTTLS."""
