"""TLS code shared by protocols: contexts, handshakes and certificates."""
