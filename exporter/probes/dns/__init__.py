"""A DNS question to a server or to the system's resolvers."""
