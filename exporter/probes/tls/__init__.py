"""What protocols share of TLS: contexts, handshakes and certificates."""
