"""Restoring a backup into its environment: stop the writers, restore and compare each subject, start everything.

A journal lists what is not restored yet, from before anything is stopped until everything is started again. So the next
restore can complete one that was killed or interrupted at any step, and partial data is never taken for complete data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.backups.engines import engine_of
from exporter.backups.outcome import sentence_of
from exporter.backups.places import Places, stop
from exporter.backups.restore_journal import Journal
from exporter.backups.steps import Steps, printable
from exporter.backups.stored import Stored
from exporter.backups.subjects import BackupsError
from exporter.host.failures import EngineLost, OperationError
from exporter.host.shown import shown
from exporter.releases.failing import UnhealthyError, show
from exporter.releases.mounted import Source, install
from exporter.releases.verification import verify

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from exporter.backups.docker_host import DockerHost
    from exporter.backups.encryption import Encryption
    from exporter.backups.engines.shape import Compared, Restored
    from exporter.backups.finding import Found
    from exporter.backups.places import Settings
    from exporter.backups.restore_plan import Item, RestorePlan
    from exporter.releases.context import Context

SHOWN_ROWS = 20


@dataclass(frozen=True, slots=True)
class Restoring:
    """One restore. `context` and `host` describe the environment; both locks are held."""

    context: Context
    host: DockerHost
    found: Found
    plan: RestorePlan
    settings: Settings
    encryption: Encryption
    backups: Path
    results: dict[str, Restored] = field(default_factory=dict)

    def pull(self, images: Iterable[str]) -> None:
        """Pull the missing images before anything is stopped. Raises Refused."""
        for image in images:
            self.context.screen.enter(f"pulling {shown(image)}")
            self.context.engine.pull(image)

    def run(self) -> None:
        """Restore everything in the plan.

        Raises:
            BackupsError: A subject could not be restored; the journal says which are left.
            OperationError: Everything is restored, but not everything could be started or is healthy.
        """
        context, site = self.context, self.context.site
        self._install_files()
        journal = Journal.begin(site.state, self.found.folder, self.backups, self.plan.names)
        folder = site.state.running or site.folder
        stop(context, self.plan.stopped)
        steps = Steps(context.screen.say)
        places = Places(context, self.host, steps, self.settings, folder, journal)
        with steps.ticking(context.screen.waiting):
            for item in self.plan.items:
                self._restore(item, places, journal)
        if not self.plan.only_configuration:
            context.screen.enter("starting all services")
            try:
                context.act("starting all services", folder, "up", "-d", "--no-build")
            except EngineLost:
                raise
            except OperationError as error:
                raise OperationError(
                    f"everything is restored, but not everything could be started: {error.sentence}",
                    error.status,
                ) from None
        journal.end()
        if not self.plan.only_configuration:
            self._verify(folder)

    def _restore(self, item: Item, places: Places, journal: Journal) -> None:
        screen = self.context.screen
        screen.enter(item.name)
        try:
            place = places.of(item.subject)
            restored = engine_of(item.subject).load(place, self._stored(item))
        except EngineLost:
            raise
        except (BackupsError, OperationError, OSError) as error:
            raise BackupsError(f"{item.name} was not restored: {sentence_of(error)}") from None
        for line in rows(item.name, restored.compared):
            screen.say(line)
        for path in restored.files:
            screen.say(f"restored {printable(path)}")
        self.results[item.name] = restored
        journal.done(item.name)

    def _stored(self, item: Item) -> Stored:
        return Stored(self.found.folder, item.saved, self.encryption)

    def check_opens(self) -> None:
        """Raise BackupsError unless the private key opens every item; call it before anything is stopped."""
        check_opens(self.found, self.plan.items, self.encryption)

    def _install_files(self) -> None:
        site = self.context.site
        target = site.state_folder / "files"
        if not target.is_dir():
            install(Source(site.folder, site.config, site.root), target)

    def _verify(self, folder: Path) -> None:
        self.context.screen.enter("verifying")
        try:
            verify(self.context, folder, None)
        except UnhealthyError as error:
            show(self.context.screen, self.context.engine, error.containers)
            raise OperationError(
                f"everything is restored, but {self.context.site.environment} is not healthy: {error.sentence}"
            ) from None


def check_opens(found: Found, items: Iterable[Item], encryption: Encryption) -> None:
    """Raise BackupsError unless the private key opens these items."""
    if encryption.tool:
        for item in items:
            Stored(found.folder, item.saved, encryption).check_opens()


def rows(name: str, compared: tuple[Compared, ...]) -> Iterator[str]:
    """Yield the saved and the restored counts, for people: `db.till.sales: 6 saved, 6 restored`."""
    for each in compared[:SHOWN_ROWS]:
        yield f"{name}.{printable(each.what)}: {each.saved} saved, {each.restored} restored"
    if len(compared) > SHOWN_ROWS:
        more = compared[SHOWN_ROWS:]
        saved, restored = (sum(getattr(each, key) for each in more) for key in ("saved", "restored"))
        yield f"{name}: {len(more)} more, {saved} saved, {restored} restored"


def left_sentence(context: Context) -> str:
    """Return a sentence on what is not restored yet, or an empty text."""
    return context.state.restore_left(context.site.environment) or ""
