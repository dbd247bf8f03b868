"""Calls of the engine: deadlines, the two kinds of failure, and type checks of answers."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from exporter.host.failures import EngineLost, NotThere, Refused
from exporter.host.shown import shown
from exporter.host.streams import Upgraded, upgraded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from docker import APIClient

CALL_SECONDS = 60
"""Deadline of a small call; a busy engine with many containers takes seconds."""


class Calls:
    """Calls of one engine through one client."""

    def __init__(self, client: APIClient, where: str) -> None:
        self._client = client
        self.where = where

    def _call(self, what: str) -> AbstractContextManager[None]:
        return failures(self.where, what)

    def _streams(self, path: str, body: object, what: str) -> AbstractContextManager[Upgraded]:
        return upgraded(self.where, f"/v{self._client.api_version}{path}", body, what, CALL_SECONDS)

    @contextmanager
    def _patient(self) -> Iterator[None]:
        """Allow calls in the block to take as long as a container's grace period."""
        before, self._client.timeout = self._client.timeout, 3600
        try:
            yield
        finally:
            self._client.timeout = before


@contextmanager
def failures(where: str, what: str) -> Iterator[None]:
    """Convert errors of the `docker` package during `what` to Refused, NotThere or EngineLost."""
    from docker.errors import APIError, DockerException, NotFound
    from requests.exceptions import RequestException

    try:
        yield
    except NotFound as error:
        raise NotThere(_refusal(what, error)) from None
    except APIError as error:
        raise Refused(_refusal(what, error)) from None
    except RecursionError:
        raise Refused(f"the engine's answer to {what} is nested too deep to be read") from None
    except (DockerException, RequestException, ConnectionError, TimeoutError, BrokenPipeError) as error:
        raise EngineLost(silent(where, error, what)) from None


def _refusal(what: str, error: Any) -> str:
    said = error.explanation or error
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return f"the Docker engine reports an error for {what}: {shown(text, 500)}"


def silent(where: str, error: BaseException, what: str = "") -> str:
    """Return a sentence that the engine does not answer, with the reason if it is known."""
    reason = f" ({_cause(error)})" if _cause(error) else ""
    during = f" during {what}" if what and what != "the first call" else ""
    return f"the Docker engine at {shown(where)} does not answer{during}{reason}"


def _cause(error: BaseException) -> str:
    """Return the operating system's reason, if there is one; `requests` hides it among its arguments."""
    for _ in range(10):
        if isinstance(error, OSError) and error.errno:
            return os.strerror(error.errno).lower()
        within = [
            part for part in (*error.args, getattr(error, "reason", None)) if isinstance(part, BaseException)
        ]
        if not within:
            break
        error = within[0]
    return ""


def as_json(value: object) -> dict[str, Any]:
    """Return an object of an answer, or an empty one if the value is something else."""
    return value if isinstance(value, dict) else {}


def as_text(value: object) -> str:
    """Return a text of an answer, or an empty one if the value is something else."""
    return value if isinstance(value, str) else ""


def as_texts(value: object) -> tuple[str, ...]:
    """Return the texts in a list of an answer, or an empty tuple if the value is something else."""
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def filters(labels: Mapping[str, str]) -> list[str]:
    """Return labels in the form of the engine's filters."""
    return [f"{name}={value}" for name, value in labels.items()]
