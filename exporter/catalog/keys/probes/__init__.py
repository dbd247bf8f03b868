"""How probes are written: one module per protocol, named like the protocol's key."""
