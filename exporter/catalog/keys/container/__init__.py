"""Keys that services and stores share: one module per key, named like the key."""
