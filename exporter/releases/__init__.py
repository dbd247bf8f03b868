"""Put a release on a host and take it back: deploy, rollback, their journal and their records."""
