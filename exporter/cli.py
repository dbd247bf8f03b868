"""The command line. Each body is one call into a room; what a command needs is imported when it runs."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, Optional

import typer

from exporter.backups.backup_command import backup
from exporter.backups.commands import app as backups
from exporter.backups.restore_command import restore
from exporter.operations.commands import app as operations
from exporter.releases.commands import app as releases
from exporter.releases.commands import deploys
from exporter.signals import interruptible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.outputs.registry import Output

app = typer.Typer(
    name="exporter",
    help="One service catalog in; health metrics, dashboards, alerts and deploy files out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command()(backup)
app.command()(restore)
app.add_typer(backups, name="backups", callback=interruptible)
app.add_typer(deploys, name="deploys", callback=interruptible)
app.add_typer(releases)
app.add_typer(operations)

ANSWER_IS_NO = 1
WRONG_USAGE = 2


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
        help="One of the catalog's environments; the first if not given.",
    ),
]
Logs = Annotated[
    LogFormat,
    typer.Option("--log-format", envvar="EXPORTER_LOG_FORMAT", help="How to log to standard error."),
]
Listen = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--listen",
        envvar="EXPORTER_LISTEN",
        metavar="HOST:PORT",
        help="Where to serve, instead of the catalog's exporter.listen.",
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
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs to read.")]

DEFAULT_CONFIG = Path("config.yaml")


@app.command(
    epilog="Examples:  exporter run  ·  exporter run -c services.yaml -e production  ·  exporter run --demo"
)
def run(
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    listen: Listen = None,
    web_config: WebConfig = None,
    log_format: Logs = LogFormat.TEXT,
    demo: Annotated[
        bool,
        typer.Option(
            "--demo",
            help="Start a demo: watch simulated services on loopback. Without a catalog: PageForge's, an example.",
        ),
    ] = False,
) -> None:
    """Watch the catalog's services and serve their metrics, until SIGTERM or Ctrl-C; SIGHUP reloads the catalog."""
    from exporter.daemon.loading import LoadError
    from exporter.daemon.run import ListenError
    from exporter.daemon.run import run as run_daemon
    from exporter.logs import set_up_logs

    set_up_logs(log_format)
    if demo and config == DEFAULT_CONFIG and not config.exists():
        config = example_catalog()
    try:
        run_daemon(config, environment, address(listen), web_config=web_config, demo=demo)
    except LoadError as error:
        fail(str(error), WRONG_USAGE)
    except ListenError as error:
        fail(str(error), ANSWER_IS_NO)


@app.command(epilog="Examples:  exporter check  ·  exporter check api-gateway --json")
def check(
    services: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(metavar="[SERVICE]...", help="Only these services and stores; all if none is named."),
    ] = None,
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    json: Json = False,
    deadline: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            "--deadline",
            metavar="SECONDS",
            min=0,
            help="Retry unhealthy probes until all are healthy or this many seconds have passed.",
        ),
    ] = None,
) -> None:
    """Probe everything once, now. Exit status 0: all healthy, 1: something is not, 2: wrong usage or catalog."""
    from exporter.catalog.loading import load_plan
    from exporter.catalog.problems import CatalogError
    from exporter.daemon.check import UnknownServiceError, check_once

    interruptible()
    try:
        plan = load_plan(config, environment, of=services or ())
        healthy = check_once(plan, services or [], as_json=json, deadline_seconds=deadline)
    except (CatalogError, UnknownServiceError) as error:
        fail(str(error), WRONG_USAGE)
    raise typer.Exit(0 if healthy else ANSWER_IS_NO)


@app.command(epilog="Examples:  exporter validate  ·  exporter validate services.yaml --json")
def validate(
    file: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Argument(metavar="[FILE]", help="The catalog; --config if not given."),
    ] = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Check the catalog in all of its environments, and show every mistake at once."""
    from exporter.catalog.report import report
    from exporter.outputs.checks import Rendering
    from exporter.outputs.registry import OUTPUTS

    valid = report(file or config, Rendering(OUTPUTS).refused, as_json=json)
    raise typer.Exit(0 if valid else WRONG_USAGE)


@app.command(epilog="Example:  exporter schema > catalog.schema.json")
def schema() -> None:
    """Print the JSON Schema of the catalog, which editors complete from."""
    from exporter.catalog.schema import schema_text

    sys.stdout.write(schema_text())


Out = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where to write.")]
Check = Annotated[
    bool,
    typer.Option("--check", help="Write nothing; exit with 1 and show a diff when a file is not up to date."),
]
Diff = Annotated[bool, typer.Option("--diff", help="As --check: write nothing and show what would change.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite files that were edited by hand, too.")]


@app.command(
    epilog="Examples:  exporter gen  ·  exporter gen --check  ·  exporter gen -c services.yaml --out build"
)
def gen(
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    out: Out = Path(),
    check: Check = False,
    diff: Diff = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Generate every file from the catalog. Top-level dashboards and rules are those of --environment."""
    from exporter.outputs.registry import OUTPUTS

    _generate(config, OUTPUTS, environment, out, check, diff, force, json)


@app.command(
    name="gen-dashboards", epilog="Examples:  exporter gen-dashboards  ·  exporter gen-dashboards --check"
)
def gen_dashboards(
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    out: Out = Path("dashboards"),
    check: Check = False,
    diff: Diff = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Write the Grafana dashboards into the given folder."""
    from exporter.outputs.registry import output_named

    _generate(config, [output_named("dashboards", "")], environment, out, check, diff, force, json)


@app.command(
    name="gen-alerts",
    epilog="Examples:  exporter gen-alerts  ·  exporter gen-alerts -e production --out rules",
)
def gen_alerts(
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    out: Out = Path("alert_rules"),
    check: Check = False,
    diff: Diff = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Write the Prometheus rules and their promtool tests into the given folder."""
    from exporter.outputs.registry import output_named

    _generate(config, [output_named("alerts", "")], environment, out, check, diff, force, json)


def _generate(
    config: Path,
    outputs: Iterable[Output],
    environment: str | None,
    out: Path,
    check: bool,
    diff: bool,
    force: bool,
    json: bool,
) -> None:
    from exporter.catalog.problems import CatalogError
    from exporter.outputs.generate import generate
    from exporter.outputs.writer import WriteError

    interruptible()
    try:
        good = generate(config, outputs, environment, out, check=check, diff=diff, force=force, as_json=json)
    except CatalogError as error:
        fail(str(error), WRONG_USAGE)
    except WriteError as error:
        fail(str(error), ANSWER_IS_NO)
    raise typer.Exit(0 if good else ANSWER_IS_NO)


@app.command(epilog='Example:  HEALTHCHECK CMD ["python", "-m", "exporter", "healthcheck"]')
def healthcheck(
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    listen: Listen = None,
    web_config: WebConfig = None,
) -> None:
    """Ask the daemon on this machine whether it is alive; needs no shell tool, for a container's health check."""
    from exporter.daemon.healthcheck import ask

    answer = ask(config, environment, address(listen), web_config)
    typer.echo(answer.detail, err=not answer.healthy)
    raise typer.Exit(0 if answer.healthy else ANSWER_IS_NO)


@app.command()
def version(json: Json = False) -> None:
    """Print the version."""
    from exporter import __version__

    typer.echo(f'{{"version": "{__version__}"}}' if json else __version__)


def address(listen: str | None) -> tuple[str, int] | None:
    """`HOST:PORT`, `[V6]:PORT` or `:PORT` as a pair; exits when it is none of these."""
    if listen is None:
        return None
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "0.0.0.0"  # noqa: S104 - what `:PORT` means everywhere
    if not port.isdecimal() or not 0 <= int(port) <= 65535:
        fail(f"--listen {listen}: write HOST:PORT, for example 127.0.0.1:9877", WRONG_USAGE)
    return host, int(port)


def example_catalog() -> Path:
    """Return the example catalog: the package's copy, which a wheel brings, or the checkout's."""
    package = Path(__file__).parent
    copy = package / "config.example.yaml"
    return copy if copy.is_file() else package.parent / copy.name


def fail(message: str, status: int) -> NoReturn:
    """Print to standard error and exit."""
    typer.echo(message, err=True)
    raise typer.Exit(status)


def main() -> None:
    """The console script. What the machine refuses, a full disk or a pipe that closes early, is no traceback."""
    open_streams()
    status: str | int | None = 0
    try:
        app()
    except SystemExit as end:
        status = end.code
    except OSError as error:
        status = said(error)
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = said(error) or status
    sys.exit(status)


def said(error: OSError) -> int:
    """Say what the machine refused; of a pipe that closed early (`exporter schema | head`) there is nothing to say."""
    if not isinstance(error, BrokenPipeError):
        where = "standard output" if error.filename is None else error.filename
        with contextlib.suppress(OSError):
            typer.echo(f"{where}: {error.strerror or error}", err=True)
    return ANSWER_IS_NO


def open_streams() -> None:
    """Have standard streams that can be written to: a closed one's number would go to the next file that is opened,
    and a name that is not text must not end the command.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            while os.open(os.devnull, os.O_RDWR) < number:
                pass
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
