"""Table of the commands that other packages define. A command is imported when it is used."""

from __future__ import annotations

from exporter.lazy_commands import Lazy, LazyGroup


class Commands(LazyGroup):
    """The commands of `exporter.cli` and those of this table."""

    table = {  # noqa: RUF012 - a ClassVar of LazyGroup
        "init": Lazy("exporter.imports.commands", "Write a catalog for an existing application.", "init"),
        "backup": Lazy(
            "exporter.backups.backup_command", "Save stores, volumes and configuration.", "backup"
        ),
        "restore": Lazy("exporter.backups.restore_command", "Restore a backup, or test one.", "restore"),
        "backups": Lazy(
            "exporter.backups.commands",
            "Seal, verify, prune and move backups.",
        ),
        "deploy": Lazy("exporter.releases.commands", "Deploy a release to an environment's host.", "deploy"),
        "rollback": Lazy("exporter.releases.commands", "Roll back to the previous release.", "rollback"),
        "deploys": Lazy("exporter.releases.commands", "Show the records of deploys.", app="deploys"),
        "secrets": Lazy("exporter.secrets.commands", "Create, check and rotate secrets."),
        "status": Lazy("exporter.operations.commands", "Show what should run and what is running.", "status"),
        "doctor": Lazy("exporter.operations.commands", "Check everything that an operation needs.", "doctor"),
        "compose": Lazy(
            "exporter.operations.commands", "Run Compose with an environment's files.", "compose"
        ),
        "destroy": Lazy("exporter.operations.commands", "Remove an environment's containers.", "destroy"),
    }
