"""Conversion of a checked catalog into the flat plan that the daemon uses."""
