"""Restore drills: try a backup in throw-away containers without a network. Running containers are not touched.

A store's image is that of its container or, on a fresh host, the one in the Compose files. A backup never names an
image, mount or folder. The result for each subject goes into its marker, also when the drill was interrupted.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exporter.backups import marks
from exporter.backups.docker_host import DRILL_LABEL
from exporter.backups.engines import engine_of
from exporter.backups.engines.shape import Mount, Place
from exporter.backups.outcome import sentence_of
from exporter.backups.places import data_folder_of, deadline_in
from exporter.backups.restore_plan import WrongNameError
from exporter.backups.restoring import check_opens, rows
from exporter.backups.saving import STOPPED
from exporter.backups.steps import Steps
from exporter.backups.stored import Stored
from exporter.backups.subjects import BackupsError
from exporter.backups.work import scratch
from exporter.catalog.keys.stores import ENGINES
from exporter.host.failures import EngineLost, OperationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from exporter.backups.docker_host import DockerHost
    from exporter.backups.encryption import Encryption
    from exporter.backups.engines.shape import Restored
    from exporter.backups.finding import Found
    from exporter.backups.places import Settings
    from exporter.backups.restore_plan import Item
    from exporter.backups.subjects import Subject
    from exporter.catalog.catalog import Catalog
    from exporter.host.screen import Screen

DRILL_SECONDS = 3600.0
_FOLDER = "/drill"
_DATABASE = f"{_FOLDER}/database"


@dataclass(slots=True)
class Marked:
    """The markers of a drill. `names`: all requested subjects; after `begin`, those that the backup holds."""

    catalog: Catalog
    subjects: Mapping[str, Subject]
    names: list[str]
    backup: str
    begun: bool = False

    def begin(self, names: Sequence[str]) -> None:
        """Mark the start of a drill of these subjects. Raises BackupsError."""
        self.names = list(names)
        try:
            marks.begin_drill(self.catalog, [self.subjects[name] for name in names], DRILL_SECONDS)
        except BackupsError as error:
            self.names = []
            raise BackupsError(f"the drill was not started: {error}") from None
        self.begun = True

    def end(self, name: str, error: str | None) -> None:
        """Mark the result of one subject. Raises BackupsError."""
        self.names.remove(name)
        marks.end_drill(self.catalog, [self.subjects[name]], backup=self.backup, error=error)

    def fail(self, error: str) -> None:
        """Mark every subject without a result as failed, as far as its marker can be written."""
        if not self.begun:
            with suppress(BackupsError):
                self.begin(self.names)
        for name in tuple(self.names):
            with suppress(BackupsError):
                self.end(name, error)


@contextmanager
def marked(
    catalog: Catalog, subjects: Mapping[str, Subject], names: Sequence[str], backup: str
) -> Iterator[Marked]:
    """Mark the drill of `names`. When an error ends the block, every unmarked subject is marked as failed with it.

    A backup that cannot be found, is incomplete or cannot be opened also fails the drill.
    """
    marker = Marked(catalog, subjects, list(names), backup)
    try:
        yield marker
    except WrongNameError:
        raise
    except BaseException as error:
        known = isinstance(error, (BackupsError, OperationError, OSError))
        marker.fail(sentence_of(error) if known else STOPPED)
        raise


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill. `images` returns the image of a service: that of its container, or of the Compose files."""

    host: DockerHost
    screen: Screen
    found: Found
    settings: Settings
    encryption: Encryption
    backups: Path
    images: Callable[[str], str]

    def run(self, items: Sequence[Item], marker: Marked) -> dict[str, Restored]:
        """Try to restore each item, and return the comparisons. Raises BackupsError if one cannot be restored."""
        marker.backup = self.found.manifest.id
        marker.begin([item.name for item in items])
        check_opens(self.found, items, self.encryption)
        results: dict[str, Restored] = {}
        failed = []
        steps = Steps(self.screen.say)
        with steps.ticking(self.screen.waiting):
            for item in items:
                self.screen.enter(item.name)
                error: str | None = None
                try:
                    results[item.name] = self._try(item, steps)
                except EngineLost:
                    raise
                except (BackupsError, OperationError, OSError) as problem:
                    error = sentence_of(problem)
                    self.screen.say(error)
                    failed.append(item.name)
                finally:
                    self.host.remove_left(DRILL_LABEL)
                marker.end(item.name, error)
        if failed:
            raise BackupsError(f"the backup {self.found.manifest.id} cannot be restored: {' '.join(failed)}")
        return results

    def _try(self, item: Item, steps: Steps) -> Restored:
        with self._place(item.subject, steps) as place:
            source = Stored(self.found.folder, item.saved, self.encryption)
            restored = engine_of(item.subject).load(place, source)
        for line in rows(item.name, restored.compared):
            self.screen.say(line)
        return restored

    @contextmanager
    def _place(self, subject: Subject, steps: Steps) -> Iterator[Place]:
        """Yield a throw-away place for a subject, without TLS or a password, since it has no network."""
        port = ENGINES[subject.engine].port if subject.engine in ENGINES else 0
        place = Place(
            replace(subject, tls=False, port=port),
            self.host,
            steps,
            helper_image=self.settings.helper_image,
            python_image=self.settings.python_image,
            ready_seconds=self.settings.ready_seconds,
            deadline=deadline_in(DRILL_SECONDS),
        )
        if subject.kind == "configuration":
            with scratch(self.backups) as folder:
                yield replace(place, folder=folder)
        elif subject.kind == "volume":
            yield replace(place, volume=self._volume())
        elif subject.engine == "sqlite":
            image = self.settings.python_image or self._image(subject.service)
            mount = Mount("volume", self._volume(), _FOLDER)
            yield replace(place, path=_DATABASE, user="0", mounts=(mount,), python_image=image)
        else:
            yield self._store(place)

    def _store(self, place: Place) -> Place:
        subject = place.subject
        image = self._image(subject.service)
        place.steps.begin(f"starting a throw-away {subject.name}")
        if subject.engine == "postgresql":
            environment = {"POSTGRES_USER": subject.user, "POSTGRES_HOST_AUTH_METHOD": "trust"}
            return replace(place, container=self._started(image, environment), user=subject.user)
        if subject.engine == "mongodb":  # without a network: loopback only, and no first user to wait for
            return replace(place, container=self._started(image), user=subject.user, address="127.0.0.1")
        return self._redis(place, image)

    def _redis(self, place: Place, image: str) -> Place:
        """Return a Redis with a volume at the folder where this image keeps its data."""
        first = replace(place, container=self._started(image))
        folder = data_folder_of(first)
        self.host.engine.remove(first.container, volumes=True)
        return replace(place, container=self._started(image, volumes=(folder,)), path=folder)

    def _started(
        self, image: str, environment: Mapping[str, str] | None = None, volumes: Sequence[str] = ()
    ) -> str:
        labels = {DRILL_LABEL: self.host.project}
        container = self.host.engine.create_store(image, labels, environment or {}, volumes)
        self.host.engine.start(container)
        return container

    def _volume(self) -> str:
        return self.host.engine.create_volume({DRILL_LABEL: self.host.project})

    def _image(self, service: str) -> str:
        image = self.images(service)
        if self.host.engine.image(image) is None:
            try:
                self.host.engine.pull(image)
            except EngineLost:
                raise
            except OperationError as error:
                raise BackupsError(
                    f"the image of {service} is not on this host and cannot be pulled: {error.sentence}"
                ) from None
        return image
