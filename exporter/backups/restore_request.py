"""One call of `exporter restore`: find, plan, check, ask, and then restore or drill."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from exporter.backups.authentic import trust_of
from exporter.backups.docker_host import DRILL_LABEL, HELPER_LABEL, DockerHost
from exporter.backups.drill import Drill, marked
from exporter.backups.encryption import Encryption
from exporter.backups.finding import find
from exporter.backups.keys import KEY_FILE, install_key
from exporter.backups.lock import backups_locked
from exporter.backups.places import Settings
from exporter.backups.restore_checks import Checks
from exporter.backups.restore_plan import WrongNameError, choose, plan_restore, uncovered
from exporter.backups.restoring import Restoring, left_sentence
from exporter.backups.subjects import BackupsError, backups_folder, chosen, subjects
from exporter.backups.work import keyring, remove_leftovers
from exporter.catalog.planning.places import fixed_volumes
from exporter.host.command import confirm
from exporter.host.compose import find_compose
from exporter.host.containers import PROJECT_LABEL
from exporter.host.engine import connected
from exporter.host.failures import WRONG_USAGE, OperationError
from exporter.host.lock import locked
from exporter.host.shown import shown
from exporter.releases.context import Context

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.backups.authentic import Trust
    from exporter.backups.finding import Found
    from exporter.backups.restore_plan import Item, RestorePlan
    from exporter.host.command import Run
    from exporter.host.site import Site

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """The request of a user. `without_code`: accept a backup that is not authenticated."""

    backup: str
    names: tuple[str, ...]
    drill: bool = False
    bare: bool = False
    key: Path | None = None
    without_code: bool = False
    approved: bool = False
    dry_run: bool = False


def run_request(run: Run, site: Site, request: Request) -> Answer:
    """Run a request. Raises OperationError, BackupsError and EngineLost."""
    folder = backups_folder(site.catalog)
    settings = Settings.of(site.variables)
    with ExitStack() as stack:
        engine = stack.enter_context(connected(site.docker_host))
        host = DockerHost(engine, site.compose_project, fixed=fixed_volumes(site.catalog))
        stack.enter_context(backups_locked(folder, site.environment))
        if not request.dry_run:
            remove_leftovers(folder, host, run.screen.say)
        act = _Act(run, site, request, host, settings, folder, stack)
        try:
            return act.drill() if request.drill else act.restore()
        except WrongNameError as error:
            raise OperationError(str(error), WRONG_USAGE) from None


@dataclass(slots=True)
class _Act:
    run: Run
    site: Site
    request: Request
    host: DockerHost
    settings: Settings
    backups: Path
    stack: ExitStack

    # --- restore ---

    def restore(self) -> Answer:
        screen, site = self.run.screen, self.site
        found, trust = self._find()
        plan = self._plan(found)
        encryption = self._encryption(found)
        self._show(found, plan)
        checks = self._checks()
        missing = checks.of_restore(plan, found.manifest)
        if self.request.bare:
            missing += self._not_bare()
        if missing:
            for sentence in missing:
                screen.say(f"missing: {sentence}")
            problems = "1 problem" if len(missing) == 1 else f"{len(missing)} problems"
            raise OperationError(f"the restore cannot start: {problems}, see above; nothing was changed")
        if self.request.dry_run:
            return {"backup": found.manifest.id, "would_restore": list(plan.names)}
        self._ask()
        context = self._context(log=True)
        restoring = Restoring(context, self.host, found, plan, self.settings, encryption, self.backups)
        restoring.check_opens()
        restoring.pull(checks.to_pull)
        with locked(site.state, "exporter restore", site.title, screen.say):
            plan = self._plan(found)  # again, now that no other restore can run
            if plan.completes:
                screen.say("completing an interrupted restore")
            self._install_key(trust, found)
            try:
                restoring = replace(restoring, plan=plan)
                restoring.run()
            except BackupsError as error:
                left = left_sentence(context)
                raise OperationError(f"{error}. {left}" if left else str(error)) from None
        healthy = "" if plan.only_configuration else ", all healthy"
        screen.say(f"restored from {found.manifest.id}{healthy}: {' '.join(plan.names)}")
        return {
            "backup": found.manifest.id,
            "restored": {name: asdict(result) for name, result in restoring.results.items()},
        }

    def _plan(self, found: Found) -> RestorePlan:
        left = self.site.state.half_restored(self.site.environment)
        plan = plan_restore(found.manifest, subjects(self.site.catalog), self.request.names, left)
        if left and (out := uncovered(left, plan.names)):
            raise BackupsError(f"{left.sentence}; this restore must also include {' '.join(out)}")
        return plan

    def _show(self, found: Found, plan: RestorePlan) -> None:
        screen, manifest = self.run.screen, found.manifest
        origin = f" of {manifest.project} in {manifest.environment}" if self._is_foreign(found) else ""
        screen.say(
            f"This overwrites in {self.site.environment}, from the backup {found.folder.name}{origin}, "
            f"made {manifest.finished}: {' '.join(plan.names)}"
        )
        for item in plan.items:
            screen.say(f"  {item.line}")
        screen.say(f"Stopped during the restore: {' '.join(plan.stopped) or 'nothing'}")

    def _is_foreign(self, found: Found) -> bool:
        """True if the backup is of another project or environment."""
        made = (found.manifest.project, found.manifest.environment)
        return made != (self.site.project, self.site.environment)

    def _not_bare(self) -> list[str]:
        there = self.host.engine.containers(self.site.compose_project)
        if there:
            return [f"--bare needs a host without containers of {self.site.title}; there are {len(there)}"]
        volumes = self.host.engine.volumes({PROJECT_LABEL: self.site.compose_project})
        return [f"--bare needs a host without data; there is a volume {shown(name)}" for name in volumes]

    def _ask(self) -> None:
        if self.request.approved or self.request.bare:
            return
        if not confirm("The current data will be lost.", self.site.environment):
            raise OperationError("not confirmed, so nothing was restored; --yes restores without asking")

    def _install_key(self, trust: Trust, found: Found) -> None:
        """Keep the key from --key or the prompt if this host has none and the backup is of this environment."""
        place = self.site.secrets_folder / KEY_FILE
        if trust.key and not self._is_foreign(found) and install_key(trust.key, place):
            self.run.screen.say(f"wrote the backup key to {place}")

    # --- drill ---

    def drill(self) -> Answer:
        catalog = self.site.catalog
        known = subjects(catalog)
        if self.request.dry_run:
            found, _ = self._find()
            items = self._chosen(found)
            self._encryption(found)
            self._need_for_drill(items)
            self.run.screen.say(f"would try {found.manifest.id} in throw-away containers: {_names(items)}")
            return {"backup": found.manifest.id, "would_try": [item.name for item in items]}
        names = tuple(chosen(catalog, self.request.names))
        with marked(catalog, known, names, self.request.backup.rpartition("/")[2]) as marker:
            found, _ = self._find()
            items = self._chosen(found)
            encryption = self._encryption(found)
            self._need_for_drill(items)
            drill = Drill(
                host=self.host,
                screen=self.run.screen,
                found=found,
                settings=self.settings,
                encryption=encryption,
                backups=self.backups,
                images=self._checks().image_of,
            )
            try:
                results = drill.run(items, marker)
            finally:
                self.host.remove_left(HELPER_LABEL, DRILL_LABEL)
        self.run.screen.say(f"the backup {found.manifest.id} can be restored: {_names(items)}")
        return {
            "backup": found.manifest.id,
            "restores": {name: asdict(result) for name, result in results.items()},
        }

    def _chosen(self, found: Found) -> tuple[Item, ...]:
        return choose(found.manifest, subjects(self.site.catalog), self.request.names, configuration=True)

    def _need_for_drill(self, items: tuple[Item, ...]) -> None:
        missing = self._checks().of_drill(items)
        if missing:
            raise OperationError("the drill cannot start: " + "; ".join(missing))

    # --- both ---

    def _checks(self) -> Checks:
        return Checks(self.host, self.site, self.settings, lambda folder: self._context().compose(folder))

    def _find(self) -> tuple[Found, Trust]:
        request = self.request
        trust = trust_of(self.site.secrets_folder / KEY_FILE, request.key, without_code=request.without_code)
        return find(self.site.catalog, self.backups, request.backup, trust, self.run.screen.say), trust

    def _encryption(self, found: Found) -> Encryption:
        tool = found.manifest.encryption
        ring = self.stack.enter_context(keyring(self.backups)) if tool == "gpg" else None
        encryption = Encryption(tool=tool, identity=self.settings.identity, keyring=ring)
        encryption.check_identity()
        return encryption

    def _context(self, *, log: bool = False) -> Context:
        return Context(
            self.site,
            self.host.engine,
            find_compose(),
            self.run.screen,
            self.run.open_log() if log else None,
        )


def _names(items: tuple[Item, ...]) -> str:
    return " ".join(item.name for item in items)
