"""From the file to a checked catalog: YAML with positions, environments, and every mistake at once."""
