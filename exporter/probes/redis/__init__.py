"""A login to Redis and questions about its state."""
