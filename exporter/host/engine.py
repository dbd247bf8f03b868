"""The Docker engine of an environment, by the `docker` package: typed answers, deadlines, two kinds of failure.

`EngineLost`: the engine does not answer, and it is unknown if it did what was asked. `Refused`: the engine reports an
error (`NotThere`: something is missing); its message is made safe to print.

    with connected(site.docker_host) as engine:
        for container in engine.containers("shop-staging", "web"):
            ...
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

from exporter.host.containers import (
    ONEOFF_LABEL,
    PROJECT_LABEL,
    Container,
    Json,
    container_of,
)
from exporter.host.engine_calls import CALL_SECONDS, failures, silent
from exporter.host.engine_calls import as_json as _json
from exporter.host.engine_calls import as_text as _text
from exporter.host.engine_creation import CreationCalls
from exporter.host.engine_images import ImageCalls
from exporter.host.engine_storage import StorageCalls
from exporter.host.engine_values import Ended, EngineFacts, Helper, Image
from exporter.host.failures import EngineLost, NotThere, OperationError
from exporter.host.shown import shown, shown_lines
from exporter.host.streams import Conversation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
__all__ = ["CALL_SECONDS", "Ended", "Engine", "EngineFacts", "Helper", "Image", "address", "connected"]

ANSWER_SECONDS = 10
"""Deadline of the first call, which finds out if there is an engine."""
ANY_SIZE = 1 << 62


@contextmanager
def connected(host: str | None = None) -> Iterator[Engine]:
    """Connect to the engine at `host`; without it, to that of `address`.

    Raises:
        EngineLost: The engine does not answer.
    """
    from docker import APIClient
    from docker.errors import DockerException
    from docker.utils import kwargs_from_env

    where = host or address()
    with failures(where, "the first call"):
        try:
            options = kwargs_from_env({**os.environ, "DOCKER_HOST": where})
            client = APIClient(version="auto", timeout=ANSWER_SECONDS, **options)
        except DockerException as error:
            raise EngineLost(silent(where, error)) from None
    client.timeout = CALL_SECONDS
    try:
        yield Engine(client, where)
    finally:
        client.close()


def address() -> str:
    """Return the engine's address as `docker` finds it: DOCKER_HOST, the current context, or the default socket."""
    from docker.context import ContextAPI

    if os.environ.get("DOCKER_HOST"):
        return os.environ["DOCKER_HOST"]
    try:
        context = ContextAPI.get_current_context()
    except Exception as error:  # noqa: BLE001 - the package raises many kinds for a damaged file
        raise OperationError(f"Docker's context cannot be read: {shown(str(error))}") from None
    host = context.Host if context else None
    return host if isinstance(host, str) and host else "unix:///var/run/docker.sock"


class Engine(CreationCalls, ImageCalls, StorageCalls):
    """One engine. Each call raises EngineLost, Refused or NotThere, and returns checked values."""

    # --- the engine itself ---

    def facts(self) -> EngineFacts:
        """Return the engine's version, folder and clock."""
        with self._call("its facts"):
            info = _json(self._client.info())
            version = _json(self._client.version())
        swarm = info.get("Swarm")
        return EngineFacts(
            version=_text(version.get("Version")),
            api=_text(version.get("ApiVersion")),
            system=_text(info.get("OperatingSystem")),
            root=_text(info.get("DockerRootDir")),
            swarm=isinstance(swarm, dict) and swarm.get("ControlAvailable") is True,
            now=_text(info.get("SystemTime")),
            images=info["Images"] if isinstance(info.get("Images"), int) else 0,
            log_driver=_text(info.get("LoggingDriver")),
            runtime=_text(info.get("DefaultRuntime")),
        )

    @property
    def is_local(self) -> bool:
        """True if the engine is on this host, where the files that containers mount are."""
        return self.where.startswith("unix://")

    # --- containers ---

    def containers(self, project: str, *services: str) -> list[Container]:
        """Return the containers of a Compose project, also stopped ones, but not those of `compose run`.

        They are sorted by service and number. `services`: only these services.
        """
        found = self.labelled({PROJECT_LABEL: project, ONEOFF_LABEL: "False"})
        kept = [each for each in found if not services or each.service in services]
        return sorted(kept, key=lambda each: (each.service, each.number, each.name))

    def labelled(self, labels: Mapping[str, str]) -> list[Container]:
        """Return all containers with these labels, except those that are removed meanwhile."""
        filters = {"label": [f"{name}={value}" for name, value in labels.items()]}
        found = []
        for row in self.listed(filters):
            with suppress(NotThere):
                found.append(self.container(_text(row.get("Id"))))
        return found

    def listed(self, filters: Mapping[str, list[str]] | None = None) -> list[Json]:
        """Return the engine's short description of each container, stopped ones too."""
        with self._call("the list of containers"):
            rows = self._client.containers(all=True, filters=filters)
        return [_json(row) for row in rows] if isinstance(rows, list) else []

    def container(self, id_or_name: str) -> Container:
        """Return one container."""
        return container_of(self.inspect(id_or_name))

    def inspect(self, id_or_name: str) -> Json:
        """Return the engine's full description of a container. The caller must check the types of values."""
        with self._call(f"container {shown(id_or_name)}"):
            return _json(self._client.inspect_container(id_or_name))

    def start(self, *ids: str) -> None:
        """Start containers; running ones are left alone."""
        for id_ in ids:
            with self._call(f"the start of {shown(id_)}"):
                self._client.start(id_)

    def stop(self, *ids: str, seconds: int | None = None) -> None:
        """Stop containers in parallel, each with its own stop signal and its grace period or `seconds`."""
        with self._patient():
            _together(lambda id_: self._stop(id_, seconds), ids)

    def restart(self, id_: str) -> None:
        """Restart a container."""
        with self._patient(), self._call(f"the restart of {shown(id_)}"):
            self._client.restart(id_)

    def kill(self, id_: str, signal: str) -> None:
        """Send a signal such as HUP."""
        with self._call(f"the signal {signal} to {shown(id_)}"):
            self._client.kill(id_, signal)

    def remove(self, *ids: str, volumes: bool = False) -> None:
        """Remove containers, also running ones. `volumes`: also their anonymous volumes. Missing ones are ignored."""
        for id_ in ids:
            with suppress(NotThere), self._call(f"the removal of {shown(id_)}"):
                self._client.remove_container(id_, v=volumes, force=True)

    def logs(self, id_: str, lines: int) -> list[str]:
        """Return the last lines of a container's log, safe to print."""
        with self._call(f"the log of {shown(id_)}"):
            raw = self._client.logs(id_, stdout=True, stderr=True, tail=lines)
        return shown_lines(raw, lines) if isinstance(raw, bytes) else []

    def processes(self, id_: str) -> list[str]:
        """Return "PID ARGUMENTS" of each process of a container, with the PIDs of the host."""
        with self._call(f"the processes of {shown(id_)}"):
            rows = _json(self._client.top(id_, "-eo pid,args")).get("Processes")
        return (
            [" ".join(map(str, row)) for row in rows if isinstance(row, list)]
            if isinstance(rows, list)
            else []
        )

    # --- processes in containers ---

    def execute(
        self,
        id_: str,
        argv: Sequence[str],
        *,
        given: bytes | IO[bytes] | None = None,
        write: Callable[[bytes], object] | None = None,
        limit: int = ANY_SIZE,
        seconds: float = CALL_SECONDS,
        user: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> Ended:
        """Run `argv` in a container, and return its result; a status other than 0 is not an error here.

        `given`: standard input. `write` gets standard output piece by piece (a file's `write`); without it, the output
        is kept. Everybody with access to the engine can see argv and environment, so secrets must go through `given`.

        Raises:
            OperationError: It writes more than `limit` bytes, or runs longer than `seconds`. It may still be running.
        """
        what = f"{shown(argv[0])} in {shown(id_[:12])}"
        with self._call(what):
            made = self._client.exec_create(
                id_,
                list(argv),
                stdout=True,
                stderr=True,
                stdin=given is not None,
                user=user,
                environment=dict(environment) if environment else None,
            )
            exec_id = _text(_json(made).get("Id"))
            path, start = f"/exec/{exec_id}/start", {"Detach": False, "Tty": False}
            with self._streams(path, start, what) as streams:
                talk = Conversation(streams, what, given=given, write=write, limit=limit, seconds=seconds)
                output = talk.hold()
            status = _json(self._client.exec_inspect(exec_id)).get("ExitCode")
        if not isinstance(status, int):
            raise EngineLost(f"the engine returned no exit status of {what}")
        return Ended(status, output.out, output.errors, output.size)

    def run_helper(
        self,
        helper: Helper,
        *,
        given: bytes | IO[bytes] | None = None,
        write: Callable[[bytes], object] | None = None,
        limit: int = ANY_SIZE,
        seconds: float = CALL_SECONDS,
    ) -> Ended:
        """Run a container for one task, and always remove it at the end. Otherwise like `execute`."""
        what = f"{shown(helper.argv[0])} in a container of {shown(helper.image)}"
        id_ = self.create(helper, open_stdin=given is not None)
        try:
            with self._call(what):
                stdin = "&stdin=1" if given is not None else ""
                path = f"/containers/{id_}/attach?stream=1&stdout=1&stderr=1{stdin}"
                with self._streams(path, None, what) as streams:
                    self._client.start(id_)
                    talk = Conversation(streams, what, given=given, write=write, limit=limit, seconds=seconds)
                    output = talk.hold()
                status = _json(self._client.wait(id_, timeout=CALL_SECONDS)).get("StatusCode")
        finally:
            with suppress(OperationError):
                self.remove(id_, volumes=True)
        if not isinstance(status, int):
            raise EngineLost(f"the engine returned no exit status of {what}")
        return Ended(status, output.out, output.errors, output.size)

    def _stop(self, id_: str, seconds: int | None) -> None:
        with suppress(NotThere), self._call(f"the stop of {shown(id_[:12])}"):
            self._client.stop(id_, timeout=seconds)


def _together(act: Callable[[str], None], ids: Sequence[str]) -> None:
    """Call `act` for each id at the same time, and raise the first failure when all have returned."""
    failures: list[BaseException] = []

    def one(id_: str) -> None:
        try:
            act(id_)
        except BaseException as error:  # noqa: BLE001 - raised below, in the caller's thread
            failures.append(error)

    threads = [threading.Thread(target=one, args=(id_,), daemon=True) for id_ in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
