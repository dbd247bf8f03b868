"""What the protocols of databases share: their stream, SCRAM and checked values."""
