"""A login to MongoDB and questions about its state."""
