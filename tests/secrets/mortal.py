"""Commands that are killed in this process at a given step of their work on files and stores.

    for step in count():
        with mortal(step) as killed: ...command...
        if not killed: break    # it has fewer steps

After that step nothing it does has an effect, not even its `finally` blocks, as if it were dead.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MUTATIONS: tuple[tuple[Any, str], ...] = (
    (os, "fsync"),
    (os, "fchmod"),
    (os, "fchown"),
    (os, "utime"),
    (os, "replace"),
    (os, "unlink"),
    (os, "rmdir"),
    (tempfile, "mkstemp"),
)


class KilledError(BaseException):
    """A kill that no handler of the program catches."""


@contextmanager
def mortal(step: int, *more: tuple[Any, str]) -> Iterator[list[str]]:
    """Die before mutation number `step`, counted from 0; its name is then in the list. `more`:
    additional mutations."""
    done = 0
    killed: list[str] = []

    def counting(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal done
            if done >= step:
                killed.append(name)
                raise KilledError
            done += 1
            return original(*args, **kwargs)

        return call

    with ExitStack() as stack:
        for owner, name in (*MUTATIONS, *more):
            stack.enter_context(mock.patch.object(owner, name, counting(name, getattr(owner, name))))
        with suppress(KilledError):
            yield killed
