"""The daemon's web server: connections and their limits, who may ask, and what is answered."""
