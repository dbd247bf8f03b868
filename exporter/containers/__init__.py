"""What runs beside the services' endpoints: the engine's containers, their logs, volumes and backups."""
