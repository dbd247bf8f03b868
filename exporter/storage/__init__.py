"""Volumes and backups: free space, and what backups report in their markers."""
