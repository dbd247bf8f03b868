"""Commands of the rooms, imported when one of them is named: `exporter --help` imports none."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from exporter.signals import interruptible


@dataclass(frozen=True, slots=True)
class Lazy:
    """A command of a room: its module, which has a Typer app, and the line for it in `exporter --help`.

    `command`: the member of that app which it is; None is the whole app, a group of commands. `app`: the app's name.
    """

    module: str
    help: str
    command: str | None = None
    app: str = "app"

    def load(self) -> Any:
        """Import the command."""
        app = getattr(import_module(self.module), self.app)
        app.rich_markup_mode = None  # plain help, as everywhere
        group = get_group(app)
        return group if self.command is None else group.commands[self.command]


class LazyGroup(TyperGroup):
    """A group that has the commands of `table`, too."""

    table: ClassVar[dict[str, Lazy]] = {}

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, lazy in self.table.items():
            self.add_command(TyperCommand(name, help=lazy.help, rich_markup_mode=None))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that the first argument names, importing it."""
        if args and args[0] in self.table:
            interruptible()
            self.load(args[0])
        return super().resolve_command(ctx, args)

    def load(self, name: str) -> Any:
        """Return a command of the table, imported."""
        command = self.table[name].load()
        command.name = name
        self.commands[name] = command
        return command
