"""A command that is killed at any step of its work on files and stores, in this process and at a known step.

    for step in count():
        with mortal(step) as killed: ...command...
        if not killed: break    # it has fewer steps

From that step on nothing that it does has an effect, its `finally` neither: as if it were dead.
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
    """No handler of the program catches it."""


@contextmanager
def mortal(step: int, *more: tuple[Any, str]) -> Iterator[list[str]]:
    """Die before the mutation number `step`, from 0; the list has its name then. `more`: further mutations."""
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
