"""`exporter deploys`: the records of deploys, for the scripts that write and need them, and for people."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, Optional

import typer

from exporter.releases.records import RESULTS, Record, RecordsError, add, changes, last, undoable

if TYPE_CHECKING:
    from collections.abc import Sequence

app = typer.Typer(
    help="The records of deploys: add, list, last and undoable.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

MANY = 1_000_000
_WRONG_USAGE = 2


class Column(StrEnum):
    ID = "id"
    SERVICE = "service"


File = Annotated[Path, typer.Option("--file", metavar="FILE", help="The environment's deploys.jsonl.")]
Last = Annotated[int, typer.Option("--last", min=1, help="So many of the newest.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs to read.")]
Images = Annotated[
    Optional[Path],  # noqa: UP045 - typer reads it at run time
    typer.Option(metavar="FILE", help="Lines of service, image id and image name."),
]


@app.command("add")
def add_record(
    file: File,
    id: Annotated[str, typer.Option(help="Its id.")],  # noqa: A002 - the option's name
    environment: Annotated[str, typer.Option(help="The environment.")],
    who: Annotated[str, typer.Option(help="Who deployed.")],
    started: Annotated[float, typer.Option(help="When, in seconds since 1970.")],
    result: Annotated[str, typer.Option(help=f"One of {', '.join(RESULTS)}.")],
    version: Annotated[str, typer.Option(help="The tag.")] = "",
    service: Annotated[str, typer.Option(help="The only service that was deployed; empty: all.")] = "",
    before: Images = None,
    after: Images = None,
    error: Annotated[str, typer.Option(help="What went wrong.")] = "",
    reverts: Annotated[str, typer.Option(help="Of a rollback: the id of what it undid.")] = "",
) -> None:
    """Append one record."""
    if result not in RESULTS:
        _fail(f"--result {result}: write one of {', '.join(RESULTS)}", _WRONG_USAGE)
    record = Record(
        id=id,
        environment=environment,
        services=(service,) if service else (),
        who=who,
        host=socket.gethostname(),
        started=started,
        finished=time.time(),
        result=result,
        version=version,
        images=changes(_images(before), _images(after)),
        error=error,
        reverts=reverts,
    )
    try:
        add(file, record)
    except RecordsError as problem:
        _fail(str(problem))


@app.command("list")
def list_records(file: File, last: Last = 10, json: Json = False) -> None:
    """Show the newest records, the newest last."""
    _print(_read(file, last), as_json=json)


@app.command("last")
def last_record(
    file: File,
    good: Annotated[bool, typer.Option("--good", help="The last one that runs.")] = False,
    json: Json = False,
) -> None:
    """Show the newest record. Exit status 1: there is none."""
    found = [record for record in _read(file, MANY) if record.good or not good][-1:]
    _print(found, as_json=json)
    raise typer.Exit(0 if found else 1)


@app.command("undoable")
def list_undoable(
    file: File,
    last: Last = 1,
    service: Annotated[str, typer.Option(help="Only deploys that held this service.")] = "",
    show: Annotated[Column, typer.Option(help="What is printed of each.")] = Column.ID,
) -> None:
    """Print the good deploys that no rollback has undone, the newest first, one a line."""
    for record in undoable(_read(file, MANY), service)[::-1][:last]:
        typer.echo(record.id if show is Column.ID else " ".join(record.services))


def _read(file: Path, count: int) -> list[Record]:
    try:
        return last(file, count)
    except RecordsError as problem:
        _fail(str(problem))


def _images(file: Path | None) -> dict[str, str]:
    """Image ids by service. A file that is not there is of a deploy that was killed before it wrote one."""
    if file is None or not file.exists():
        return {}
    rows = (line.split() for line in file.read_text(encoding="utf-8").splitlines())
    return {row[0]: row[1] for row in rows if len(row) > 1}


def _print(records: Sequence[Record], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([asdict(record) for record in records], indent=2))
        return
    for record in records:
        when = datetime.fromtimestamp(record.finished, UTC).strftime("%Y-%m-%d %H:%M:%S")
        what = " ".join(record.services) or "all"
        end = f": {record.error}" if record.error else ""
        typer.echo(
            f"{when}  {record.result:<15}  {record.version or '-'}  {what}  by {record.who} ({record.id}){end}"
        )


def _fail(message: str, status: int = 1) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(status)
