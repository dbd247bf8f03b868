"""Options that commands share, and the exit of a command that fails."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn, Optional

import typer

ANSWER_IS_NO = 1
WRONG_USAGE = 2

DEFAULT_CONFIG = Path("config.yaml")


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


# Optional, not `| None`: typer reads these annotations at run time.
Config = Annotated[
    Path,
    typer.Option(
        "--config",
        "-c",
        envvar="EXPORTER_CONFIG",
        metavar="FILE",
        help="The service catalog.",
        show_default=True,
    ),
]
Environment = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--environment",
        "-e",
        envvar="EXPORTER_ENVIRONMENT",
        metavar="NAME",
        help="Environment of the catalog; default: the first.",
    ),
]
Logs = Annotated[
    LogFormat,
    typer.Option("--log-format", envvar="EXPORTER_LOG_FORMAT", help="Format of the log on standard error."),
]
Listen = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--listen",
        envvar="EXPORTER_LISTEN",
        metavar="HOST:PORT",
        help="Address to listen on, instead of the catalog's exporter.listen.",
    ),
]
WebConfig = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(
        "--web.config.file",
        envvar="EXPORTER_WEB_CONFIG_FILE",
        metavar="FILE",
        help="TLS and users of the web server, in the format of Prometheus's exporter-toolkit.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

Root = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(
        "--root",
        envvar="EXPORTER_ROOT",
        metavar="DIR",
        help="The folder with deploy/; default: the catalog's folder, or else the current one.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for approval.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check everything and show the plan; change nothing.")
]

Out = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write to.")]
Check = Annotated[
    bool,
    typer.Option("--check", help="Write nothing; exit with 1 and show a diff if a file is not up to date."),
]
Diff = Annotated[bool, typer.Option("--diff", help="Like --check: write nothing and show what would change.")]
Force = Annotated[bool, typer.Option("--force", help="Also overwrite files that were edited by hand.")]


def address(listen: str | None) -> tuple[str, int] | None:
    """Return `HOST:PORT`, `[V6]:PORT` or `:PORT` as a pair; exit if it has another form."""
    if listen is None:
        return None
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "0.0.0.0"  # noqa: S104 - what `:PORT` means everywhere
    if not port.isdecimal() or not 0 <= int(port) <= 65535:
        fail(f"--listen {listen}: write HOST:PORT, for example 127.0.0.1:9877", WRONG_USAGE)
    return host, int(port)


def fail(message: str, status: int) -> NoReturn:
    """Print to standard error and exit."""
    typer.echo(message, err=True)
    raise typer.Exit(status)
