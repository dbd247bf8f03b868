"""Commands of other packages, imported when they are used: `exporter --help` imports nothing."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from exporter.signals import interruptible


@dataclass(frozen=True, slots=True)
class Lazy:
    """A command of another package: its module, which has a Typer app, and its line in `exporter --help`.

    `command`: its name in that app; None is the whole app, a group of commands. `app`: the app's name in the module.
    """

    module: str
    help: str
    command: str | None = None
    app: str = "app"

    def load(self) -> Any:
        """Import and return the command."""
        app = getattr(import_module(self.module), self.app)
        app.rich_markup_mode = None  # plain help, as in every command
        group = get_group(app)
        return group if self.command is None else group.commands[self.command]


class LazyGroup(TyperGroup):
    """A group that also has the commands of `table`."""

    table: ClassVar[dict[str, Lazy]] = {}

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, lazy in self.table.items():
            self.add_command(TyperCommand(name, help=lazy.help, rich_markup_mode=None))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the command that the first argument names, and find it."""
        if args and args[0] in self.table:
            interruptible()
            self.load(args[0])
        return super().resolve_command(ctx, args)

    def load(self, name: str) -> Any:
        """Import and return a command of the table."""
        command = self.table[name].load()
        command.name = name
        self.commands[name] = command
        return command
