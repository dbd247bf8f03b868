"""Free space of volumes, and the markers in which backups report their results."""
