"""A run that saves an environment's stores, volumes and configuration into one backup.

Each subject is saved by its engine; if one cannot be saved, the others still are. The result is sealed with a manifest
and uploaded if the catalog says so, and only then are older backups removed. The result for each subject goes into its
marker, also when the run was interrupted.
"""

from __future__ import annotations

import shlex
import shutil
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exporter import __version__
from exporter.backups import marks
from exporter.backups.authentic import local_trust
from exporter.backups.checks import check_room
from exporter.backups.encryption import Encryption
from exporter.backups.engines import engine_of
from exporter.backups.engines.shape import Place
from exporter.backups.frame import TimeIsUpError
from exporter.backups.keys import key_file, make_key
from exporter.backups.lock import backups_locked
from exporter.backups.making import Making
from exporter.backups.manifest import PARTIAL
from exporter.backups.outcome import Outcome, rows_of, sentence_of, summary
from exporter.backups.retention import prune
from exporter.backups.s3 import Bucket
from exporter.backups.sealing import seal
from exporter.backups.steps import Steps
from exporter.backups.subjects import BackupsError, backups_folder, subjects
from exporter.backups.work import keyring, remove_leftovers
from exporter.host.failures import OperationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from exporter.backups.docker_host import DockerHost
    from exporter.backups.engines.shape import Counts
    from exporter.backups.subjects import Subject
    from exporter.catalog.catalog import Catalog
    from exporter.host.screen import Screen

HELPER_IMAGE = "busybox:1.37"
"""Any image with sh, tar, find and stat will do."""
SPARE_SECONDS = 60
"""After the time limit a run has this long to clean up; then its marker counts as that of a run that died."""
STOPPED = "it was interrupted before it finished"


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a run. `half_restored`: names whose data is partial, each with a sentence that says why."""

    time_limit: float
    helper_image: str
    python_image: str = ""
    half_restored: Mapping[str, str] = field(default_factory=dict)


class Saving:
    """One run. `chosen`: the subjects to save. `connect` connects to the Docker host, which may not answer."""

    def __init__(
        self,
        catalog: Catalog,
        chosen: Mapping[str, Subject],
        connect: Callable[[], AbstractContextManager[DockerHost]],
        screen: Screen,
        settings: Settings,
    ) -> None:
        self._catalog = catalog
        self._chosen = chosen
        self._connect = connect
        self._screen = screen
        self._settings = settings
        self._steps = Steps(screen.say)
        self._folder = backups_folder(catalog)
        self._encryption = Encryption.of(catalog)
        self._deadline = time.monotonic() + settings.time_limit
        self._outcome = Outcome()
        self._unmarked = list(chosen)

    def check(self) -> None:
        """Raise BackupsError or OperationError if a backup could not even start."""
        with self._connect() as host:
            self._check(host)

    def run(self) -> Outcome:
        """Save, and mark the results. Raises BackupsError and OperationError if nothing could be saved."""
        with backups_locked(self._folder, self._catalog.environment_name):
            # From here on, any error that prevents a backup goes into its marker.
            self._mark(
                lambda them: marks.begin(self._catalog, them, self._settings.time_limit + SPARE_SECONDS)
            )
            try:
                self._prepare_and_save()
            except BaseException as error:
                known = isinstance(error, (BackupsError, OperationError, OSError, TimeIsUpError))
                self._mark_failed(self._unmarked, sentence_of(error) if known else STOPPED)
                raise
        return self._outcome

    def _check(self, host: DockerHost) -> None:
        self._encryption.check()
        if any(subject.kind == "volume" for subject in self._chosen.values()):
            host.need_image(self._settings.helper_image)

    def _prepare_and_save(self) -> None:
        with ExitStack() as stack:
            self._host = stack.enter_context(self._connect())
            self._check(self._host)
            remove_leftovers(self._folder, self._host, self._screen.say)
            check_room(self._folder, self._chosen, local_trust(key_file(self._catalog)))
            if self._encryption.tool == "gpg":
                ring = stack.enter_context(keyring(self._folder))
                self._encryption = Encryption.of(self._catalog, ring)
            partial = self._new_folder()
            try:
                why = self._save_into(partial)
            finally:
                shutil.rmtree(partial, ignore_errors=True)  # a sealed backup has been renamed
        self._mark_all(why)
        if self._outcome.folder and not why:
            self._prune()

    def _save_into(self, partial: Path) -> str:
        """Save everything and seal it. Return why the backup is not good, or an empty text."""
        outcome = self._outcome
        with self._screen.live("saving"), self._steps.ticking(self._screen.waiting):
            for name, subject in self._chosen.items():
                self._screen.enter(name)
                try:
                    outcome.saved[name] = self._save(subject, partial / name)
                except (BackupsError, OperationError, OSError) as error:
                    outcome.failed[name] = sentence_of(error)
                    self._screen.say(outcome.failed[name])
                    shutil.rmtree(partial / name, ignore_errors=True)
                else:
                    self._screen.say(f"saved {name}: {summary(subject, outcome.saved[name])}")
            if not outcome.saved:
                return ""
            self._steps.begin("sealing the backup")
            try:
                outcome.folder = self._seal(partial)
            except (BackupsError, OSError) as error:
                self._screen.say(sentence_of(error))
                return "the backup could not be sealed"
            outcome.id = outcome.folder.name
            return self._upload(outcome.folder)

    def _save(self, subject: Subject, folder: Path) -> Counts:
        target = Making(folder, self._encryption, self._steps)
        if why := self._settings.half_restored.get(subject.name):
            raise BackupsError(f"the data of {subject.name} is incomplete, so it was not saved: {why}")
        place, image = self._place(subject)
        if image:
            target.fact("image", image)
        return engine_of(subject).save(place, target)

    def _place(self, subject: Subject) -> tuple[Place, str]:
        """Return the place of a subject, and the image of its container."""
        name, settings = subject.name, self._settings
        container = volume = image = ""
        if subject.service:
            found = self._host.container_of(subject.service)
            if found is None and subject.path:
                raise BackupsError(
                    f"{subject.service} has no container, so the file of {name} cannot be read"
                )
            if found is None or not (found.running or subject.path):
                raise BackupsError(f"{name} is not running, so it cannot be saved")
            container, image = found.id, found.image_name
            if subject.path and settings.python_image:
                image = settings.python_image
        elif subject.volume:
            volume = self._host.volume_of(subject.volume) or ""
            if not volume:
                raise BackupsError(f"there is no volume {name} on this host")
        place = Place(
            subject,
            self._host,
            self._steps,
            container=container,
            volume=volume,
            folder=self._catalog.folder,
            files=self._catalog.backup.configuration,
            path=subject.path,
            user=subject.user,
            secret=subject.secret,
            helper_image=settings.helper_image,
            python_image=settings.python_image,
            deadline=self._deadline,
        )
        return place, image

    def _seal(self, partial: Path) -> Path:
        key, made = make_key(key_file(self._catalog))
        if made:
            self._screen.warn(
                f"created the backup key of this host, {key_file(self._catalog)}: keep a copy of it elsewhere, because "
                "a new host cannot restore without it"
            )
        return seal(
            partial,
            subjects(self._catalog),
            project=self._catalog.project,
            environment=self._catalog.environment_name,
            encryption=self._encryption.tool,
            exporter=__version__,
            key=key,
            rows={name: rows_of(self._chosen[name], counts) for name, counts in self._outcome.saved.items()},
        )

    def _upload(self, place: Path) -> str:
        s3 = self._catalog.backup.s3
        if s3 is None:
            return ""
        self._steps.begin(f"uploading to the bucket {s3.bucket}")
        try:
            Bucket(self._catalog).upload(place, local_trust(key_file(self._catalog)))
        except (BackupsError, OSError) as error:
            self._screen.say(sentence_of(error))
            return (
                f"the upload to the bucket {s3.bucket} failed, so the backup is on this host only; "
                f"try again with: exporter backups upload -e {self._catalog.environment_name} {shlex.quote(str(place))}"
            )
        return ""

    def _prune(self) -> None:
        kept = {name: subject.keep for name, subject in subjects(self._catalog).items()}
        try:
            pruned = prune(self._folder, kept, local_trust(key_file(self._catalog)))
        except (BackupsError, OSError) as error:
            self._screen.warn(f"an older backup could not be removed: {sentence_of(error)}")
            return
        for path in pruned.removed:
            self._screen.say(f"removed {path}")
        for finding in pruned.findings:
            self._screen.warn(finding)

    def _new_folder(self) -> Path:
        """Create the folder of an unfinished backup, with a name that is not in use."""
        while True:
            now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
            if not (self._folder / now).exists() and not (self._folder / f"{now}{PARTIAL}").exists():
                break
            time.sleep(0.2)
        partial = self._folder / f"{now}{PARTIAL}"
        partial.mkdir(mode=0o700)
        return partial

    # --- markers: if one cannot be written, the backup is still made ---

    def _mark_all(self, why: str) -> None:
        outcome = self._outcome
        if why:
            outcome.failed |= dict.fromkeys(outcome.saved, why)
        trust = local_trust(key_file(self._catalog))
        for name in self._chosen:
            if name in outcome.failed:
                self._mark_failed([name], outcome.failed[name])
            else:
                self._mark(
                    lambda them: marks.end(
                        self._catalog, them, backup=outcome.folder, error=None, trust=trust
                    ),
                    [name],
                )
            self._unmarked.remove(name)

    def _mark_failed(self, names: Iterable[str], why: str) -> None:
        self._mark(lambda them: marks.end(self._catalog, them, backup=None, error=why), names)

    def _mark(self, write: Callable[[list[Subject]], None], names: Iterable[str] | None = None) -> None:
        try:
            write([self._chosen[name] for name in (self._chosen if names is None else names)])
        except (BackupsError, OSError) as error:
            self._screen.warn(sentence_of(error))
            self._outcome.markers_written = False
