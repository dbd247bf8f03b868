"""Backups as they lie in a folder or a bucket: sealed, verified, pruned, uploaded; and what there is to save."""
