"""Keys of probes: one module per protocol, named like the protocol's key."""
