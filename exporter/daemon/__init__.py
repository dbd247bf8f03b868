"""Schedule, state, web and reload: wires the rooms together."""
