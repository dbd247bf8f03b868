"""What was deployed: a record of each deploy, which rollbacks, reports and annotations read."""
