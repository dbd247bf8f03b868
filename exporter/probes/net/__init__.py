"""What protocols share below TLS: name resolution, connecting, and streams of lines."""
