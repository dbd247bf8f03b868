"""Backups in a folder or a bucket: what to save, and how it is sealed, verified, pruned and uploaded."""
