"""Code shared by the protocols of databases: stream, SCRAM and checked values."""
