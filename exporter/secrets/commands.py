"""`exporter secrets …`: the commands and their options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer
from typer.core import TyperCommand, TyperGroup

from exporter.host.command import DEFAULT_CONFIG, Config, DryRun, Environment, Json, Root, Yes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.secrets.origins import Given


class DiscreetGroup(TyperGroup):
    """A command group that never repeats an unknown word, which may be a secret passed as an argument by mistake."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command for the first word."""
        if args and args[0] not in self.commands:
            raise typer.BadParameter(f"the first word must be one of {', '.join(self.commands)}", ctx=ctx)
        return super().resolve_command(ctx, args)


class DiscreetCommand(TyperCommand):
    """A command that never repeats an unknown option, for the same reason."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line."""
        takes_value = {
            name: not getattr(param, "is_flag", False)
            for param in self.get_params(ctx)
            for name in param.opts
            if param.param_type_name == "option"
        }
        words = iter(args)
        for word in words:
            if word == "--":
                break
            name = word.partition("=")[0] if word.startswith("--") else word[:2]
            if not name.startswith("-") or name == "-":
                continue
            if name not in takes_value:
                raise typer.BadParameter("there is an unknown option; --help lists the known ones", ctx=ctx)
            if takes_value[name] and word == name:
                next(words, None)
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="secrets",
    help="Create, list, check, rotate and revert the secrets of an environment.",
    no_args_is_help=False,
    cls=DiscreetGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Names = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads it at run time
    typer.Argument(metavar="NAME", help="Secrets of the catalog."),
]
FromFile = Annotated[
    Optional[str],  # noqa: UP045 - typer reads it at run time
    typer.Option(
        "--from-file",
        metavar="FILE",
        help="Read the value from FILE, or from standard input with -. Only for a single NAME.",
    ),
]
Prompt = Annotated[
    bool, typer.Option("--prompt", help="Ask for the value twice, without echo. Needs a terminal.")
]
Swarm = Annotated[
    bool,
    typer.Option("--swarm", help="Use secrets of a Swarm instead of files; run this on a manager."),
]
FileOnly = Annotated[
    bool,
    typer.Option("--file-only", help="Change only the file: you change the password in the store yourself."),
]


@app.command(name="list", cls=DiscreetCommand)
def list_secrets(
    names: Names = None,
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    root: Root = None,
    swarm: Swarm = False,
    json: Json = False,
) -> None:
    """List every secret: present or missing, its age and its problems, but never its value."""
    from exporter.secrets.listing import as_json, table
    from exporter.secrets.work import work

    with work("list", config, environment, root, names, swarm=swarm) as job:
        states = job.states()
        typer.echo(as_json(states, job.inventory) if json else "\n".join(table(states)))


@app.command(cls=DiscreetCommand)
def check(
    names: Names = None,
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    root: Root = None,
    swarm: Swarm = False,
    json: Json = False,
) -> None:
    """Report secrets that are missing, empty, due, interrupted, or have the wrong mode or owner.

    The exit status is 1 if there are any.
    """
    from exporter.secrets.listing import as_json, findings
    from exporter.secrets.state import folder_findings
    from exporter.secrets.work import work

    with work("check", config, environment, root, names, swarm=swarm) as job:
        states = job.states()
        others = [] if swarm else [*folder_findings(job.folder, job.inventory)]
        found = [*findings(states), *others]
        if json:
            typer.echo(as_json(states, job.inventory, others))
        else:
            for name, finding in found:
                typer.echo(f"{name}: {finding}")
            if not found:
                job.run.screen.say(f"secrets of {job.site.environment}: {len(states)} without problems")
    raise typer.Exit(1 if found else 0)


@app.command(
    cls=DiscreetCommand,
    epilog="Example:  vault read -field=key secret/api | exporter secrets create api_key -e production --from-file -",
)
def create(
    names: Names = None,
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    root: Root = None,
    from_file: FromFile = None,
    prompt: Prompt = False,
    swarm: Swarm = False,
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", hidden=True)] = False,  # noqa: ARG001 - secrets.sh took it
) -> None:
    """Create missing secrets. Existing ones keep their value, and get the right mode and owner."""
    from exporter.secrets.work import work

    given = _given(from_file, prompt, names)
    with (
        work("create", config, environment, root, names, swarm=swarm) as job,
        job.changes(stores=False, yes=True, dry_run=dry_run) as changes,
    ):
        changes.create(job.chosen, given)


@app.command(
    cls=DiscreetCommand,
    epilog="Examples:  exporter secrets rotate -e production  ·  exporter secrets rotate db_password -e production",
)
def rotate(
    names: Names = None,
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    root: Root = None,
    from_file: FromFile = None,
    prompt: Prompt = False,
    swarm: Swarm = False,
    file_only: FileOnly = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Set new values for the named secrets, or else for those that are due. The old value stays as NAME.previous.

    The password of a store is also changed in the store. An interrupted rotation is completed.
    """
    from exporter.secrets.work import work

    given = _given(from_file, prompt, names)
    with (
        work("rotate", config, environment, root, names, swarm=swarm) as job,
        job.changes(stores=True, yes=yes, dry_run=dry_run, file_only=file_only) as changes,
    ):
        changes.rotate(job.chosen, given, named=bool(names))


@app.command(cls=DiscreetCommand, epilog="Example:  exporter secrets revert db_password -e production")
def revert(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Secrets of the catalog.")],
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    root: Root = None,
    swarm: Swarm = False,
    file_only: FileOnly = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Restore the previous value in the file and the stores. An interrupted rotation is undone."""
    from exporter.secrets.work import work

    with (
        work("revert", config, environment, root, names, swarm=swarm) as job,
        job.changes(stores=True, yes=yes, dry_run=dry_run, file_only=file_only) as changes,
    ):
        changes.revert(job.chosen)


def _given(from_file: str | None, prompt: bool, names: Sequence[str] | None) -> Given:
    from exporter.secrets.origins import Given

    if from_file is not None and prompt:
        raise typer.BadParameter("--from-file and --prompt cannot be used together")
    if from_file is not None and len(set(names or ())) != 1:
        raise typer.BadParameter("--from-file needs exactly one NAME")
    return Given(from_file, prompt)
