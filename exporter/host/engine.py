"""The Docker engine of an environment, by the `docker` package: typed answers, a deadline a call, two kinds of failure.

An engine that does not answer is `EngineLost`: nothing is known then, not even whether it did what it was asked for.
An engine that refuses is `Refused` (`NotThere` where a thing is missing), with its sentence made safe to print.

    with connected(site.docker_host) as engine:
        for container in engine.containers("shop-staging", "web"):
            ...
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, cast

from exporter.host.containers import (
    ONEOFF_LABEL,
    PROJECT_LABEL,
    Container,
    Json,
    container_of,
    moment,
)
from exporter.host.failures import EngineLost, NotThere, OperationError, Refused
from exporter.host.shown import shown, shown_lines
from exporter.host.streams import Conversation, Upgraded, upgraded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from docker import APIClient

CALL_SECONDS = 60
"""For a call that asks or changes something small; a busy engine with many containers takes seconds."""
ANSWER_SECONDS = 10
"""For the first call, which tells whether there is an engine."""
ANY_SIZE = 1 << 62


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """The engine itself. `root`: its data folder on its host; `swarm`: True on a manager."""

    version: str
    api: str
    system: str
    root: str
    swarm: bool
    now: str
    images: int
    drift: float = 0.0
    """Seconds by which its clock is ahead of this host's, at least; negative where it is behind."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image. `digests`: names with digests by which registries know it."""

    id: str
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    architecture: str
    size: int
    user: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process in a container ended. `reason`: its last words on standard error, safe to print."""

    status: int
    out: bytes
    errors: bytes
    size: int

    @property
    def good(self) -> bool:
        """True if it ended with 0."""
        return self.status == 0

    @property
    def reason(self) -> str:
        """The last line of standard error, else the status."""
        lines = shown_lines(self.errors, 1, 300)
        return lines[-1] if lines else f"it ended with {self.status}"


@dataclass(frozen=True, slots=True)
class Helper:
    """A container for one task, which `Engine.run_helper` makes, runs and removes.

    `volumes`: by their place in the container, the name of a volume or an absolute folder, and whether it is writable.
    Without `network` it has none. `labels` mark it, so that what a killed command left can be found.
    """

    image: str
    argv: tuple[str, ...]
    labels: Mapping[str, str]
    volumes: Mapping[str, tuple[str, bool]]
    user: str = "0:0"
    network: str = "none"
    environment: Mapping[str, str] | None = None
    read_only: bool = True
    capabilities: tuple[str, ...] | None = None
    """None: the engine's usual ones; a tuple: these alone."""
    tmpfs: tuple[str, ...] = ()


@contextmanager
def connected(host: str | None = None) -> Iterator[Engine]:
    """Connect to the engine at `host`; without, to DOCKER_HOST's, else to the usual socket.

    Raises:
        EngineLost: it does not answer.
    """
    from docker import APIClient
    from docker.errors import DockerException
    from docker.utils import kwargs_from_env

    where = host or address()
    with _failures(where, "the first call"):
        try:
            options = kwargs_from_env({**os.environ, "DOCKER_HOST": where})
            client = APIClient(version="auto", timeout=ANSWER_SECONDS, **options)
        except DockerException as error:
            raise EngineLost(_silent(where, error)) from None
    client.timeout = CALL_SECONDS
    try:
        yield Engine(client, where)
    finally:
        client.close()


def address() -> str:
    """Return where `docker` itself would look for its engine: DOCKER_HOST, the context in use, the usual socket."""
    from docker.context import ContextAPI

    if os.environ.get("DOCKER_HOST"):
        return os.environ["DOCKER_HOST"]
    try:
        context = ContextAPI.get_current_context()
    except Exception as error:  # noqa: BLE001 - the package raises many kinds for a damaged file
        raise OperationError(f"Docker's context cannot be read: {shown(str(error))}") from None
    host = context.Host if context else None
    return host if isinstance(host, str) and host else "unix:///var/run/docker.sock"


class Engine:
    """One engine. Each call raises EngineLost, Refused or NotThere, and returns checked values."""

    def __init__(self, client: APIClient, where: str) -> None:
        self._client = client
        self.where = where

    # --- the engine itself ---

    def facts(self) -> EngineFacts:
        """Return its version, folder and clock."""
        with self._call("its facts"):
            before = time.time()
            info = _json(self._client.info())
            after = time.time()
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
            drift=drift_of(_text(info.get("SystemTime")), before, after),
        )

    @property
    def is_local(self) -> bool:
        """True if it is on this host, where the files that containers mount are."""
        return self.where.startswith("unix://")

    # --- containers ---

    def containers(self, project: str, *services: str) -> list[Container]:
        """Return the containers of a Compose project, stopped ones too, but not those of `compose run`.

        Sorted by service and number; with `services`, only theirs.
        """
        found = self.labelled({PROJECT_LABEL: project, ONEOFF_LABEL: "False"})
        kept = [each for each in found if not services or each.service in services]
        return sorted(kept, key=lambda each: (each.service, each.number, each.name))

    def labelled(self, labels: Mapping[str, str]) -> list[Container]:
        """Return all containers with these labels; one that is removed meanwhile is left out."""
        filters = {"label": [f"{name}={value}" for name, value in labels.items()]}
        with self._call("the list of containers"):
            listed = self._client.containers(all=True, filters=filters)
        found = []
        for row in listed if isinstance(listed, list) else []:
            with suppress(NotThere):
                found.append(self.container(_text(_json(row).get("Id"))))
        return found

    def container(self, id_or_name: str) -> Container:
        """Return one container."""
        return container_of(self.inspect(id_or_name))

    def inspect(self, id_or_name: str) -> Json:
        """Return the engine's whole description of a container; check the type of what you take from it."""
        with self._call(f"container {shown(id_or_name)}"):
            return _json(self._client.inspect_container(id_or_name))

    def start(self, *ids: str) -> None:
        """Start containers; one that runs stays as it is."""
        for id_ in ids:
            with self._call(f"the start of {shown(id_)}"):
                self._client.start(id_)

    def stop(self, *ids: str, seconds: int | None = None) -> None:
        """Stop containers side by side, each by its own stop signal and grace period, or `seconds`."""
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
        """Remove containers, running ones too, with their anonymous volumes if asked to; a missing one is fine."""
        for id_ in ids:
            with suppress(NotThere), self._call(f"the removal of {shown(id_)}"):
                self._client.remove_container(id_, v=volumes, force=True)

    def logs(self, id_: str, lines: int) -> list[str]:
        """Return the last lines that a container wrote, safe to print."""
        with self._call(f"the log of {shown(id_)}"):
            raw = self._client.logs(id_, stdout=True, stderr=True, tail=lines)
        return shown_lines(raw, lines) if isinstance(raw, bytes) else []

    def processes(self, id_: str) -> list[str]:
        """Return "PID ARGUMENTS" of each process of a container, as the host numbers them."""
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
        """Run `argv` in a container, and return how it ended; a status other than 0 is not an error here.

        `given`: standard input. `write` gets standard output piece by piece (a file's `write`); without, it is kept.
        argv and environment can be seen by whoever can ask the engine: secrets go through `given`.

        Raises:
            OperationError: it says more than `limit` bytes, or has not ended within `seconds`. It may go on.
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
            raise EngineLost(f"the engine does not say how {what} ended")
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
        """Run a container for one task; it is removed at the end, however that comes. As `execute` otherwise."""
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
            raise EngineLost(f"the engine does not say how {what} ended")
        return Ended(status, output.out, output.errors, output.size)

    def create(self, helper: Helper, *, open_stdin: bool = False) -> str:
        """Make a helper's container without starting it, and return its id. The caller removes it."""
        mounts = [
            {
                "Type": "bind" if source.startswith("/") else "volume",
                "Source": source,
                "Target": target,
                "ReadOnly": not writable,
            }
            for target, (source, writable) in helper.volumes.items()
        ]
        with self._call(f"a container of {shown(helper.image)}"):
            drop = (
                {}
                if helper.capabilities is None
                else {"cap_drop": ["ALL"], "cap_add": [*helper.capabilities]}
            )
            config = self._client.create_host_config(
                network_mode=helper.network,
                read_only=helper.read_only,
                security_opt=["no-new-privileges"],
                mounts=cast("Any", mounts),
                log_config=cast("Any", {"Type": "none"}),
                tmpfs=cast("Any", dict.fromkeys(helper.tmpfs, "")),
                **cast("Any", drop),
            )
            made = self._client.create_container(
                helper.image,
                list(helper.argv[1:]),
                entrypoint=[helper.argv[0]],
                host_config=cast("Any", config),
                stdin_open=open_stdin,
                user=helper.user,
                environment=dict(helper.environment or {}),
                labels=dict(helper.labels),
                **cast("Any", {"use_config_proxy": False}),
            )
        return _text(_json(made).get("Id"))

    def create_store(
        self,
        image: str,
        labels: Mapping[str, str],
        environment: Mapping[str, str],
        volumes: Sequence[str] = (),
    ) -> str:
        """Make a container without a network that runs its image's own program, without starting it; return its id.

        `volumes`: folders that get an anonymous volume. The caller removes both.
        """
        with self._call(f"a container of {shown(image)}"):
            config = self._client.create_host_config(network_mode="none", security_opt=["no-new-privileges"])
            made = self._client.create_container(
                image,
                host_config=cast("Any", config),
                environment=dict(environment),
                labels=dict(labels),
                volumes=list(volumes),
                **cast("Any", {"use_config_proxy": False}),
            )
        return _text(_json(made).get("Id"))

    # --- images ---

    def image(self, name: str) -> Image | None:
        """Return an image by name or id; None where the engine does not have it."""
        try:
            with self._call(f"the image {shown(name)}"):
                described = _json(self._client.inspect_image(name))
        except NotThere:
            return None
        config = described.get("Config")
        config = config if isinstance(config, dict) else {}
        labels = config.get("Labels")
        return Image(
            id=_text(described.get("Id")),
            tags=_texts(described.get("RepoTags")),
            digests=_texts(described.get("RepoDigests")),
            architecture=_text(described.get("Architecture")),
            size=described["Size"] if isinstance(described.get("Size"), int) else 0,
            user=_text(config.get("User")),
            labels={str(key): str(value) for key, value in labels.items()}
            if isinstance(labels, dict)
            else {},
        )

    def pull(self, name: str) -> None:
        """Get an image from its registry. Raises Refused if that does not have it."""
        with self._patient(), self._call(f"the image {shown(name)}"):
            self._client.pull(name)
        if self.image(name) is None:  # what goes wrong on the way is in the answer's text, with status 200
            raise Refused(f"the image {shown(name)} could not be pulled")

    def find_in_registry(self, name: str) -> None:
        """Ask the image's registry for it. Raises Refused if that does not have it, or cannot be reached."""
        with self._call(f"the image {shown(name)}"):
            self._client.inspect_distribution(name)

    def tag(self, image: str, name: str) -> None:
        """Give an image another name, `REPOSITORY:TAG`."""
        repository, _, tag = name.rpartition(":")
        with self._call(f"the tag {shown(name)}"):
            self._client.tag(image, repository, tag)

    def untag(self, name: str) -> None:
        """Remove a name of an image, and the image with its last name; a missing one is fine."""
        with suppress(NotThere), self._call(f"the removal of the image {shown(name)}"):
            self._client.remove_image(name)

    # --- networks and volumes ---

    def connect(self, network: str, id_: str, aliases: Sequence[str] = ()) -> None:
        """Put a container on a network, under further names."""
        with self._call(f"the connection of {shown(id_[:12])} to {shown(network)}"):
            self._client.connect_container_to_network(id_, network, aliases=list(aliases))

    def disconnect(self, network: str, id_: str) -> None:
        """Take a container off a network."""
        with self._call(f"the disconnection of {shown(id_[:12])} from {shown(network)}"):
            self._client.disconnect_container_from_network(id_, network)

    def networks(self, labels: Mapping[str, str]) -> list[str]:
        """Return the names of all networks with these labels."""
        with self._call("the list of networks"):
            listed = self._client.networks(filters={"label": _filters(labels)})
        return sorted(_text(_json(row).get("Name")) for row in listed if isinstance(row, dict))

    def remove_network(self, name: str) -> None:
        """Remove a network; a missing one is fine."""
        with suppress(NotThere), self._call(f"the removal of the network {shown(name)}"):
            self._client.remove_network(name)

    def volumes(self, labels: Mapping[str, str]) -> list[str]:
        """Return the names of all volumes with these labels."""
        with self._call("the list of volumes"):
            listed = _json(self._client.volumes(filters={"label": _filters(labels)})).get("Volumes")
        rows = listed if isinstance(listed, list) else []
        return sorted(_text(_json(row).get("Name")) for row in rows)

    def volume(self, name: str) -> Json | None:
        """Return the description of a volume; None where there is none."""
        try:
            with self._call(f"the volume {shown(name)}"):
                return _json(self._client.inspect_volume(name))
        except NotThere:
            return None

    def create_volume(self, labels: Mapping[str, str], name: str | None = None) -> str:
        """Make a volume, and return its name."""
        with self._call("a new volume"):
            made = _json(self._client.create_volume(name, labels=dict(labels)))
        return _text(made.get("Name"))

    def remove_volume(self, name: str) -> None:
        """Remove a volume; a missing one is fine."""
        with suppress(NotThere), self._call(f"the removal of the volume {shown(name)}"):
            self._client.remove_volume(name, force=True)

    # --- secrets of a Swarm ---

    def swarm_secrets(self) -> dict[str, str]:
        """Return the time of creation of each of the Swarm's secrets, by name."""
        with self._call("the Swarm's secrets"):
            listed = self._client.secrets()
        rows = [_json(row) for row in listed] if isinstance(listed, list) else []
        return {_text(_json(row.get("Spec")).get("Name")): _text(row.get("CreatedAt")) for row in rows}

    def create_swarm_secret(self, name: str, value: bytes, labels: Mapping[str, str]) -> None:
        """Give the Swarm a secret."""
        with self._call(f"the Swarm's secret {shown(name)}"):
            self._client.create_secret(name, value, labels=dict(labels))

    def remove_swarm_secret(self, name: str) -> None:
        """Remove a secret of the Swarm; one that is in use is refused."""
        with self._call(f"the removal of the Swarm's secret {shown(name)}"):
            self._client.remove_secret(name)

    # ---

    def _stop(self, id_: str, seconds: int | None) -> None:
        with suppress(NotThere), self._call(f"the stop of {shown(id_[:12])}"):
            self._client.stop(id_, timeout=seconds)

    def _call(self, what: str) -> AbstractContextManager[None]:
        return _failures(self.where, what)

    def _streams(self, path: str, body: object, what: str) -> AbstractContextManager[Upgraded]:
        return upgraded(self.where, f"/v{self._client.api_version}{path}", body, what, CALL_SECONDS)

    @contextmanager
    def _patient(self) -> Iterator[None]:
        """Inside, a call may take as long as a container's grace period."""
        before, self._client.timeout = self._client.timeout, 3600
        try:
            yield
        finally:
            self._client.timeout = before


@contextmanager
def _failures(where: str, what: str) -> Iterator[None]:
    from docker.errors import APIError, DockerException, NotFound
    from requests.exceptions import RequestException

    try:
        yield
    except NotFound as error:
        raise NotThere(_refusal(what, error)) from None
    except APIError as error:
        raise Refused(_refusal(what, error)) from None
    except (DockerException, RequestException, ConnectionError, TimeoutError, BrokenPipeError) as error:
        raise EngineLost(_silent(where, error, what)) from None


def _refusal(what: str, error: Any) -> str:
    said = error.explanation or error
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return f"the engine refuses {what}: {shown(text, 500)}"


def _silent(where: str, error: BaseException, what: str = "") -> str:
    reason = f" ({_cause(error)})" if _cause(error) else ""
    during = f" during {what}" if what and what != "the first call" else ""
    return f"the Docker engine at {shown(where)} does not answer{during}{reason}"


def _cause(error: BaseException) -> str:
    """Name why in a few words, where the operating system said so; `requests` has its error among the arguments."""
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


def drift_of(now: str, before: float, after: float) -> float:
    """Return by how many seconds an engine's time `now` is not between those when it was asked and had answered.

    A busy engine answers late, which is no error of its clock.
    """
    found = moment(now)
    if found is None:
        return 0.0
    told = found.timestamp()
    return told - after if told > after else min(told - before, 0.0)


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


def _json(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _filters(labels: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in labels.items()]
