"""The command `exporter` with gates at which it stops: `python gated.py ARGUMENT...`, started by stopped_scripts.py.

Each program in a container, each throw-away container and each step of STEPS is a line in GATE_FOLDER/calls. The
first one whose words match GATE stops before it does anything or, with GATE_HALF, after this many bytes of its
standard input.
"""

from __future__ import annotations

import fnmatch
import functools
import importlib
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.__main__ import main
from exporter.host.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = {
    "backups seal": ("exporter.backups.saving", "seal"),
    "backups prune": ("exporter.backups.saving", "prune"),
    "backups upload": ("exporter.backups.s3", "Bucket.upload"),
    "restore place": ("exporter.backups.places", "Places.of"),
    "backups mark begin": ("exporter.backups.marks", "begin"),
    "backups mark end": ("exporter.backups.marks", "end"),
    "backups mark drill-begin": ("exporter.backups.marks", "begin_drill"),
    "backups mark drill-end": ("exporter.backups.marks", "end_drill"),
}
_FOLDER = Path(os.environ["GATE_FOLDER"])


def stop_at(words: str) -> bool:
    """True if this is the gate. Only the first match stops."""
    with (_FOLDER / "calls").open("a", errors="surrogateescape") as calls:
        calls.write(f"{words}\0")
    if not os.environ.get("GATE") or not fnmatch.fnmatchcase(words, os.environ["GATE"]):
        return False
    try:
        (_FOLDER / "reached").mkdir()
    except FileExistsError:
        return False
    return True


def stand_still() -> None:
    """Return when the gate is opened."""
    (_FOLDER / "stopped").touch()
    with (_FOLDER / "pipe").open() as pipe:
        pipe.read()


class HalfRead:
    """Standard input that stops in the middle."""

    def __init__(self, given: Any, half: int) -> None:
        self._given = io.BytesIO(given) if isinstance(given, bytes) else given
        self._left = half

    def read(self, size: int) -> bytes:
        """Read, and stop once."""
        if self._left == 0:
            self._left = -1
            stand_still()
        piece: bytes = self._given.read(size if self._left < 0 else min(size, self._left))
        if self._left > 0:
            self._left -= len(piece)
        return piece


def gated_program(act: Callable[..., Any], words_of: Callable[..., str]) -> Callable[..., Any]:
    """Stop before a program in a container, or in the middle of its input."""

    @functools.wraps(act)
    def gated(self: Engine, *arguments: Any, **options: Any) -> Any:
        if stop_at(words_of(*arguments)):
            if os.environ.get("GATE_HALF") and options.get("given") is not None:
                options["given"] = HalfRead(options["given"], int(os.environ["GATE_HALF"]))
            else:
                stand_still()
        return act(self, *arguments, **options)

    return gated


def gated_step(act: Callable[..., Any], words: str) -> Callable[..., Any]:
    """Stop before a step."""

    @functools.wraps(act)
    def gated(*arguments: Any, **options: Any) -> Any:
        if stop_at(words):
            stand_still()
        return act(*arguments, **options)

    return gated


def put_gates() -> None:
    """Put a gate before everything that can have one."""
    Engine.execute = gated_program(Engine.execute, lambda _, argv: " ".join(argv))  # type: ignore[method-assign]
    Engine.run_helper = gated_program(Engine.run_helper, lambda helper: " ".join(helper.argv))  # type: ignore[method-assign]
    for words, (module, path) in STEPS.items():
        owner: Any = importlib.import_module(module)
        *owners, name = path.split(".")
        for each in owners:
            owner = getattr(owner, each)
        setattr(owner, name, gated_step(getattr(owner, name), words))


if __name__ == "__main__":
    put_gates()
    main()
