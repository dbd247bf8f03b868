"""Change of a password inside the stores that have it, with a check before and a login after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from exporter.host.failures import OperationError
from exporter.peer_text import PeerText, Secrets
from exporter.secrets.engines import ENGINES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.host.containers import Container
    from exporter.host.engine import Ended
    from exporter.secrets.engines.base import Question
    from exporter.secrets.inventory import Login

SECONDS = 60.0
_ANSWER_BYTES = 64 * 1024


class Host(Protocol):
    """The part of the engine that is needed here."""

    def containers(self, project: str, *services: str) -> list[Container]:
        """Return the containers of a service."""

    def execute(self, id_: str, argv: Sequence[str], *, given: bytes, limit: int, seconds: float) -> Ended:
        """Run a program in a container."""


class Stores:
    """The containers of an environment's stores."""

    def __init__(self, host: Host, project: str, environment: str) -> None:
        self._host = host
        self._project = project
        self._environment = environment

    def check(self, logins: Iterable[Login], known: Sequence[bytes]) -> None:
        """Check that one of these values can change the password in each store.

        Raises:
            OperationError: A store is not running, or accepts none of the values. Nothing was changed.
        """
        for login in logins:
            self._way_in(login, known)

    def change(self, login: Login, known: Sequence[bytes], new: bytes) -> None:
        """Set the password, and log in with it like services do. A store that already has it is not changed.

        Raises:
            OperationError: It could not be set, or the store does not accept it.
            EngineLost: It is unknown if it was set.
        """
        engine = ENGINES[login.engine]
        ways = [value for value in known if value != new]
        way_in = self._way_in(login, [*ways, new])
        hidden = [*known, new]
        if why := self._refusal(login, engine.change(login, way_in, new), hidden):
            raise OperationError(f"{login.store} rejected the new password: {why}")
        if why := self._refusal(login, engine.accepts(login, new), hidden):
            raise OperationError(f"a login to {login.store} with the new password failed: {why}")

    def _way_in(self, login: Login, known: Sequence[bytes]) -> bytes:
        """Return the first of these values that can log in."""
        engine = ENGINES[login.engine]
        why = "there is no value to log in with"
        for value in dict.fromkeys(known):
            why = self._refusal(login, engine.enter(login, value), known)
            if not why:
                return value
        raise OperationError(
            f"the password of {login.store} ({engine.title}) cannot be changed: {login.user} cannot log in with the "
            f"current or the previous value of the secret: {why}"
        )

    def _refusal(self, login: Login, question: Question, hidden: Iterable[bytes]) -> str:
        """Run the question, and return why the answer is no, or an empty text if it is yes."""
        ended = self._host.execute(
            self._container(login), question.argv, given=question.given, limit=_ANSWER_BYTES, seconds=SECONDS
        )
        answer = ended.out.replace(b"\r\n", b"\n")
        if ended.good and (answer == question.yes or answer.endswith(b"\n" + question.yes)):
            return ""
        # The reason is in the last line of standard error, or else in the first line of the answer.
        said = ended.errors.strip().rsplit(b"\n", 1)[-1] or answer.strip().split(b"\n", 1)[0]
        secrets = Secrets(value.decode("utf-8", "surrogateescape") for value in hidden)
        return (
            f"it says {secrets.shown(PeerText(said))}" if said else f"its client exited with {ended.status}"
        )

    def _container(self, login: Login) -> str:
        for container in self._host.containers(self._project, login.store):
            if container.state == "running":
                return container.id
        raise OperationError(
            f"{login.store} is not running, so its password cannot be changed. Start it with: "
            f"exporter compose -e {self._environment} -- up -d {login.store}; or, to change the password in the store "
            "yourself, add --file-only"
        )
