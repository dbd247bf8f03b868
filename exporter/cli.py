"""The command line. Each command is one call into a package, which is imported when the command runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from exporter.commands import Commands
from exporter.options import (
    ANSWER_IS_NO,
    DEFAULT_CONFIG,
    WRONG_USAGE,
    Check,
    Config,
    Diff,
    Environment,
    Force,
    Json,
    Listen,
    LogFormat,
    Logs,
    Out,
    WebConfig,
    address,
    fail,
)
from exporter.signals import interruptible
from exporter.streams import run_with_streams

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.outputs.registry import Output


app = typer.Typer(
    name="exporter",
    cls=Commands,
    help="One service catalog in; health metrics, dashboards, alerts and deploy files out.",
    invoke_without_command=True,
    rich_markup_mode=None,  # importing rich would take longer than --help may take
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        from exporter import __version__

        typer.echo(f"exporter {__version__}")
        raise typer.Exit


@app.callback()
def without_command(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback prints it
        bool,
        typer.Option("--version", "-V", callback=_print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """One service catalog in; health metrics, dashboards, alerts and deploy files out."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


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
            help="Start a demo with simulated services on loopback. Without a catalog it uses the PageForge example.",
        ),
    ] = False,
) -> None:
    """Watch the services and serve their metrics. SIGTERM or Ctrl-C stops it; SIGHUP reloads the catalog."""
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
        typer.Argument(metavar="SERVICE", help="Only these services and stores; default: all."),
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
    """Probe everything once. Exit status 0: all healthy, 1: something is unhealthy, 2: wrong usage or catalog."""
    from exporter.catalog.loading import load_plan
    from exporter.catalog.reading.problems import CatalogError
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
        typer.Argument(metavar="FILE", help="The catalog; default: --config."),
    ] = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Check the catalog in all environments. Show every mistake."""
    from exporter.catalog.report import report
    from exporter.outputs.checks import Rendering
    from exporter.outputs.registry import OUTPUTS

    rendering = Rendering(OUTPUTS)
    valid = report(file or config, rendering.refused, rendering.noted, as_json=json)
    raise typer.Exit(0 if valid else WRONG_USAGE)


@app.command(epilog="Example:  exporter schema > catalog.schema.json")
def schema() -> None:
    """Print the JSON Schema of the catalog, for editors."""
    from exporter.catalog.reading.schema import schema_text

    sys.stdout.write(schema_text())


@app.command(
    epilog="Examples:  exporter gen  ·  exporter gen --check  ·  exporter gen --only prometheus,alertmanager"
)
def gen(
    config: Config = DEFAULT_CONFIG,
    environment: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--environment",
            "-e",
            metavar="NAME",
            help="Write deploy files for this environment only; default: for all.",
        ),
    ] = None,
    out: Out = Path(),
    only: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="NAMES",
            help="Write only these outputs, separated by commas: dashboards, alerts, prometheus, alertmanager, web, "
            "grafana, compose, monitoring, environment, images, gateway, scripts.",
        ),
    ] = None,
    check: Check = False,
    diff: Diff = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Generate every file from the catalog. A catalog that deploys nothing gets only dashboards and rules."""
    from exporter.outputs.registry import OUTPUTS, outputs_named

    try:
        outputs = OUTPUTS if only is None else outputs_named(only)
    except ValueError as error:
        fail(str(error), WRONG_USAGE)
    _generate(config, outputs, environment, out, check, diff, force, json)


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
    """Write Grafana dashboards into a folder."""
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
    """Write Prometheus rules and their tests into a folder."""
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
    from exporter.catalog.reading.problems import CatalogError
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
    """Check that the daemon on this machine is alive. For a container's health check; needs no shell tools."""
    from exporter.daemon.healthcheck import ask

    answer = ask(config, environment, address(listen), web_config)
    typer.echo(answer.detail, err=not answer.healthy)
    raise typer.Exit(0 if answer.healthy else ANSWER_IS_NO)


@app.command()
def version(json: Json = False) -> None:
    """Print the version."""
    from exporter import __version__

    typer.echo(f'{{"version": "{__version__}"}}' if json else __version__)


def example_catalog() -> Path:
    """Return the path of the example catalog: the copy in the package, as in a wheel, or the one in the checkout."""
    package = Path(__file__).parent
    copy = package / "config.example.yaml"
    return copy if copy.is_file() else package.parent / copy.name


def main() -> None:
    """Run the console script."""
    run_with_streams(lambda: app(prog_name="exporter"))
