"""A login to PostgreSQL and questions about its state."""
