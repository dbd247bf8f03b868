"""Generators of files: each renders one kind of file from the catalog, and does nothing else."""
