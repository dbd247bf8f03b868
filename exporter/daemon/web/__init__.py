"""The daemon's web server: connections and their limits, access control, and answers."""
