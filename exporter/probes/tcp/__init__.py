"""A TCP connection, a conversation in lines, and STARTTLS."""
