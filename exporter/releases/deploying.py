"""Deploy: keep what runs, back up, get the images, put the release on, verify it, and take it back if it is not well.

Each step is in the journal before it begins. An engine that is lost in the middle ends the command there, with the
journal kept: what runs then is not known, so nothing is judged and nothing is taken back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NoReturn, TypeVar

from exporter.host.failures import EngineLost, Interrupted, OperationError
from exporter.releases import kept
from exporter.releases.backing_up import back_up
from exporter.releases.ending import finish, keep_good, prune, tags_of
from exporter.releases.failing import UnhealthyError, show
from exporter.releases.journal import Deploy, Journal, Step, Way
from exporter.releases.judging import judge
from exporter.releases.mounted import Source, same
from exporter.releases.plan import plan
from exporter.releases.putting_on import FILES, left_out, orphans, put_on
from exporter.releases.tags import rollback_name
from exporter.releases.taking_back import take_back
from exporter.releases.verification import verify
from exporter.releases.wanted import images_of, wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exporter.host.containers import Container
    from exporter.releases.context import Context
    from exporter.releases.plan import Plan
    from exporter.releases.records import Record

T = TypeVar("T")


class Mode(StrEnum):
    """Choice of the images that are built or pulled."""

    MISSING = "missing"
    BUILD = "build"
    PULL = "pull"


@dataclass(frozen=True, slots=True)
class Wish:
    """A request to deploy: one service, or all if it is empty."""

    tag: str
    service: str = ""
    mode: Mode = Mode.MISSING

    @property
    def what(self) -> str:
        """The services in a sentence."""
        return self.service or "all services"


def scope(context: Context, wish: Wish) -> list[str]:
    """Return the services that the wish is about, in the order in which they start."""
    level = context.levels
    there = context.compose(context.site.folder).services()
    names = [name for name in there if not wish.service or name == wish.service]
    names = [name for name in names if not left_out(context, name, wish.service)]
    place = {name: index for index, name in enumerate(level)}
    return sorted(names, key=lambda name: (place.get(name, len(place)), name))


def planned(context: Context, wish: Wish) -> Plan:
    """Return what deploying would change."""
    names = scope(context, wish)
    compose = context.compose(context.site.folder)
    fetched = names if wish.mode is Mode.PULL else [name for name in names if is_built(context, name)]
    fetched = fetched if wish.mode is not Mode.MISSING else []
    containers = context.containers()
    rows = wanted(compose, names, context.image_id, fetched)
    removed = [] if wish.service else orphans(context, compose.services())
    return plan(rows, containers, tags_of(context.state, kept.images_of(containers)), removed)


def missing(context: Context, names: Iterable[str]) -> dict[str, bool]:
    """Return which of these services have an image that is not on the engine, and whether it is built here."""
    images = images_of(context.compose(context.site.folder).config())
    return {
        name: is_built(context, name)
        for name in names
        if name in images and context.engine.image(images[name]) is None
    }


def is_built(context: Context, name: str) -> bool:
    """True if the service's image is built here; on another host are no sources."""
    service = context.site.service(name)
    return service is not None and service.built and not context.site.handed_over


def release(context: Context, wish: Wish) -> Record:
    """Deploy, with the lock held and nothing interrupted left.

    Raises:
        OperationError: it was not deployed; the sentence says what runs now.
        EngineLost, Interrupted: the journal says where it stopped.
    """
    deploy = Deploy.begin(Way.DEPLOY, wish.tag, wish.service)
    journal = Journal(context.state)
    enter(context, journal, deploy, Step.PREPARE)
    sentence = "what runs now could not be kept for a rollback"
    before = _or_nothing_changed(context, deploy, sentence, lambda: _keep_before(context, deploy))
    enter(context, journal, deploy, Step.BACKUP)
    _or_nothing_changed(context, deploy, "the backup failed", lambda: back_up(context, deploy))
    enter(context, journal, deploy, Step.IMAGES)
    sentence = "the images could not be built or pulled"
    _or_nothing_changed(context, deploy, sentence, lambda: _get_images(context, wish))
    enter(context, journal, deploy, Step.UP)
    site = context.site
    services = [wish.service] if wish.service else None
    try:
        put_on(context, site.folder, Source(site.folder, site.config), services, wish.service)
        enter(context, journal, deploy, Step.VERIFY)
        verify(context, site.folder, services, wish.service)
    except (EngineLost, Interrupted):
        raise
    except OperationError as error:
        _give_up(context, journal, deploy, error, before)
    enter(context, journal, deploy, Step.RECORD)
    record = keep_good(context, deploy)
    prune(context)
    return record


def enter(context: Context, journal: Journal, deploy: Deploy, step: Step) -> None:
    """Begin a step: in the journal, then on the screen."""
    journal.enter(deploy, step)
    context.screen.enter(step)


def _keep_before(context: Context, deploy: Deploy) -> list[Container]:
    """Keep what runs now, so that it can come back: its images tagged, its Compose files, files and tag."""
    state, site = context.state, context.site
    folder = kept.rollback_folder(deploy.id)
    kept.copy_definitions(state, state.running or site.folder, folder)
    kept.copy_files(state, folder)
    there = context.containers()
    rows = kept.images_of(there)
    kept.write_rows(state, f"{folder}/{kept.BEFORE}", rows)
    for row in rows:
        context.engine.tag(row.image, rollback_name(site.compose_project, row.service, deploy.id))
    return there


def _get_images(context: Context, wish: Wish) -> None:
    names, folder = scope(context, wish), context.site.folder
    if wish.mode is Mode.PULL:
        context.act(
            f"pulling the images of {wish.what}", folder, "pull", *([wish.service] if wish.service else [])
        )
        return
    if wish.mode is Mode.BUILD:
        build, pull = [name for name in names if is_built(context, name)], []
    else:
        absent = missing(context, names)
        build, pull = ([name for name, built in absent.items() if built is here] for here in (True, False))
    if build:
        context.act(f"building {' '.join(build)}", folder, "build", *build)
    if pull:
        context.act(f"pulling {' '.join(pull)}", folder, "pull", *pull)


def _or_nothing_changed(context: Context, deploy: Deploy, sentence: str, act: Callable[[], T]) -> T:
    """Do a step that changes nothing that runs; where it fails, the deploy ends with that."""
    try:
        return act()
    except (EngineLost, Interrupted):
        raise
    except OperationError as error:
        finish(context, deploy, "failed", f"{sentence}: {error.sentence}")
        prune(context)
        raise OperationError(f"{sentence} ({error.sentence}); nothing that runs was changed") from None


def _give_up(
    context: Context, journal: Journal, deploy: Deploy, error: OperationError, before: Iterable[Container]
) -> NoReturn:
    """Take the release back, if it has changed anything, and say how it went."""
    screen, engine, why = context.screen, context.engine, error.sentence
    screen.say(f"the release is not healthy: {why}")
    show(screen, engine, blamed(context, deploy, error))
    if _untouched(context, deploy, before):
        finish(context, deploy, "failed", why)
        prune(context)
        raise OperationError(f"tag {deploy.tag} was not deployed ({why}); nothing that runs was changed")
    enter(context, journal, deploy, Step.ROLLBACK)
    try:
        ran = take_back(context, deploy)
    except (EngineLost, Interrupted):
        raise
    except OperationError as again:
        show(screen, engine, blamed(context, deploy, again))
        finish(context, deploy, "rollback_failed", f"{why}; after the rollback: {again.sentence}")
        raise OperationError(
            f"tag {deploy.tag} was taken back ({why}), and what ran before is not healthy either: {again.sentence}"
        ) from None
    finish(context, deploy, "rolled_back", why)
    prune(context)
    then = "what ran before runs again" if ran else "nothing ran before"
    raise OperationError(f"tag {deploy.tag} was taken back ({why}); {then}")


def blamed(context: Context, deploy: Deploy, error: OperationError) -> tuple[Container, ...]:
    """Return the containers that the failure names; where it names none, those that are not well."""
    if isinstance(error, UnhealthyError) and error.containers:
        return error.containers
    names = (deploy.service,) if deploy.service else ()
    return judge(context.containers(*names), context.jobs).bad


def _untouched(context: Context, deploy: Deploy, before: Iterable[Container]) -> bool:
    """True if the same containers are there as before, with the same files."""
    if {each.id for each in before} != {each.id for each in context.containers()}:
        return False
    folder = context.state.path / kept.rollback_folder(deploy.id)
    return same(folder / kept.FILES, context.state.path / FILES)
