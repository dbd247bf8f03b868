"""Failures of an operation: one sentence for the user, and the exit status."""

from __future__ import annotations

NOT_DONE = 1
WRONG_USAGE = 2
CANNOT_KNOW = 3
INTERRUPTED = 130


class OperationError(Exception):
    """The operation cannot continue. `sentence` says what is wrong, where, and what to do; it is safe to print."""

    def __init__(self, sentence: str, status: int = NOT_DONE) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status


class Refused(OperationError):  # noqa: N818 - it says that it is a failure
    """The engine answered with an error: the request was not carried out."""


class NotThere(Refused):
    """The engine has no such container, image, network or volume."""


class EngineLost(OperationError):  # noqa: N818 - it says that it is a failure
    """The engine does not answer. It is unknown if it carried out the last request."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, CANNOT_KNOW)


class Interrupted(OperationError):  # noqa: N818 - it says that it is a failure
    """The user pressed Ctrl-C, or the process got SIGTERM."""

    def __init__(self, sentence: str = "interrupted") -> None:
        super().__init__(sentence, INTERRUPTED)
