"""Common frame of the commands that save or restore: environment, time limit, and errors as sentences."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from exporter.backups.subjects import FOLDER_VARIABLE, BackupsError
from exporter.catalog.planning.secret_paths import FOLDER_VARIABLE as SECRETS_VARIABLE
from exporter.host.command import operation
from exporter.host.failures import NOT_DONE, OperationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

    from exporter.host.command import Run
    from exporter.host.site import Site

TIME_IS_UP = 124
"""Exit status, the same as that of `timeout`."""
_CLEANING_SECONDS = 60


class TimeIsUpError(BaseException):
    """The run's time limit was reached. Not an Exception, so that handlers for one subject do not catch it."""


@contextmanager
def backups_operation(
    name: str, config: Path, environment: str | None, root: Path | None
) -> Iterator[tuple[Run, Site]]:
    """Load an environment, and turn every error into a sentence and an exit status."""
    with operation(name) as run:
        site = run.load(config, environment, root)
        # .env may also name the folders, but code that reads the catalog looks for them in the environment.
        os.environ[FOLDER_VARIABLE] = str(site.backup_folder)
        os.environ[SECRETS_VARIABLE] = str(site.secrets_folder)
        with sentences():
            yield run, site


@contextmanager
def sentences(status: int = NOT_DONE) -> Iterator[None]:
    """Convert backup and file errors of the block to OperationError."""
    try:
        yield
    except BackupsError as error:
        raise OperationError(str(error), status) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise OperationError(f"{where}{error.strerror or error}", status) from None


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raise OperationError with the status of `timeout` when the time is up; a minute later the process exits.

    A hang-up of the terminal counts as Ctrl-C.
    """
    late = False

    def end(_: int, __: FrameType | None) -> None:
        nonlocal late
        if late:
            os._exit(TIME_IS_UP)
        late = True
        raise TimeIsUpError(f"the time limit of {seconds} s was reached")

    def hang_up(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, end)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, hang_up)
    signal.setitimer(signal.ITIMER_REAL, seconds, _CLEANING_SECONDS)
    try:
        yield
    except TimeIsUpError as error:
        raise OperationError(str(error), TIME_IS_UP) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
