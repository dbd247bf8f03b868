"""Code shared by protocols below TLS: name resolution, connecting, and streams of lines."""
