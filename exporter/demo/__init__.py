"""Demo: simulated services from the catalog, so that a new user has something to watch. Not for production."""
