"""Conversion of the file into a checked catalog: YAML with positions, environments, and every mistake at once."""
