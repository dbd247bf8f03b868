"""A deploy: save the running release, back up, get images, start the new release, verify it, roll back if unhealthy.

Each step is written to the journal before it begins. If the engine is lost, the command ends and the journal stays: the
state of the containers is unknown then, so nothing is judged and nothing is rolled back.
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
from exporter.releases.wanted import wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exporter.host.containers import Container
    from exporter.releases.context import Context
    from exporter.releases.plan import Plan
    from exporter.releases.records import Record

T = TypeVar("T")


class Mode(StrEnum):
    """Choice of the images to build or pull."""

    MISSING = "missing"
    BUILD = "build"
    PULL = "pull"


@dataclass(frozen=True, slots=True)
class Wish:
    """A request to deploy one service, or all if `service` is empty."""

    tag: str
    service: str = ""
    mode: Mode = Mode.MISSING

    @property
    def what(self) -> str:
        """Return the services for a sentence."""
        return self.service or "all services"


def scope(context: Context, wish: Wish) -> list[str]:
    """Return the services of the request, in start order."""
    level = context.levels
    there = context.files(context.site.folder).services
    names = [name for name in there if not wish.service or name == wish.service]
    names = [name for name in names if not left_out(context, name, wish.service)]
    place = {name: index for index, name in enumerate(level)}
    return sorted(names, key=lambda name: (place.get(name, len(place)), name))


def planned(context: Context, wish: Wish) -> Plan:
    """Return the changes that the deploy would make."""
    names = scope(context, wish)
    folder = context.site.folder
    files = context.files(folder)
    fetched = names if wish.mode is Mode.PULL else [name for name in names if is_built(context, name)]
    fetched = fetched if wish.mode is not Mode.MISSING else []
    containers = context.containers()
    rows = wanted(context.compose(folder), files, names, context.image_id, fetched)
    removed = [] if wish.service else orphans(context, files.services)
    return plan(rows, containers, tags_of(context.state, kept.images_of(containers)), removed)


def missing(context: Context, names: Iterable[str]) -> dict[str, bool]:
    """Return those services whose image the engine does not have; True: the image is built here."""
    images = context.files(context.site.folder).images
    return {
        name: is_built(context, name)
        for name in names
        if name in images and context.engine.image(images[name]) is None
    }


def is_built(context: Context, name: str) -> bool:
    """True if the service's image is built here; another host has no sources."""
    service = context.site.service(name)
    return service is not None and service.built and not context.site.handed_over


def release(context: Context, wish: Wish) -> Record:
    """Deploy. The lock must be held, and interrupted deploys repaired.

    Raises:
        OperationError: It was not deployed; the sentence says what is running now.
        EngineLost, Interrupted: The journal has the step at which it stopped.
    """
    deploy = Deploy.begin(Way.DEPLOY, wish.tag, wish.service)
    journal = Journal(context.state)
    enter(context, journal, deploy, Step.PREPARE)
    sentence = "the running release could not be saved for a rollback"
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
        put_on(context, site.folder, Source(site.folder, site.config, site.root), services, wish.service)
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
    """Begin a step: write it to the journal, then show it."""
    journal.enter(deploy, step)
    context.screen.enter(step)


def _keep_before(context: Context, deploy: Deploy) -> list[Container]:
    """Save the running release for a rollback: tag its images, and copy its Compose files, files and tag."""
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
    """Run a step that changes no running container; if it fails, the deploy ends."""
    try:
        return act()
    except (EngineLost, Interrupted):
        raise
    except OperationError as error:
        finish(context, deploy, "failed", f"{sentence}: {error.sentence}")
        prune(context)
        raise OperationError(
            f"{sentence} ({error.sentence}); the running containers were not changed"
        ) from None


def _give_up(
    context: Context, journal: Journal, deploy: Deploy, error: OperationError, before: Iterable[Container]
) -> NoReturn:
    """Roll the release back, if it has changed anything, and raise an error that says how that went."""
    screen, engine, why = context.screen, context.engine, error.sentence
    screen.say(f"the release is not healthy: {why}")
    show(screen, engine, blamed(context, deploy, error))
    if _untouched(context, deploy, before):
        finish(context, deploy, "failed", why)
        prune(context)
        raise OperationError(
            f"tag {deploy.tag} was not deployed ({why}); the running containers were not changed"
        )
    enter(context, journal, deploy, Step.ROLLBACK)
    try:
        ran = take_back(context, deploy)
    except (EngineLost, Interrupted):
        raise
    except OperationError as again:
        show(screen, engine, blamed(context, deploy, again))
        finish(context, deploy, "rollback_failed", f"{why}; after the rollback: {again.sentence}")
        raise OperationError(
            f"tag {deploy.tag} was rolled back ({why}), but the previous release is not healthy either: "
            f"{again.sentence}"
        ) from None
    finish(context, deploy, "rolled_back", why)
    prune(context)
    then = "the previous release is running again" if ran else "nothing was running before"
    raise OperationError(f"tag {deploy.tag} was rolled back ({why}); {then}")


def blamed(context: Context, deploy: Deploy, error: OperationError) -> tuple[Container, ...]:
    """Return the containers named by the failure; if it names none, those that are not healthy."""
    if isinstance(error, UnhealthyError) and error.containers:
        return error.containers
    names = (deploy.service,) if deploy.service else ()
    return judge(context.containers(*names), context.jobs).bad


def _untouched(context: Context, deploy: Deploy, before: Iterable[Container]) -> bool:
    """True if the containers and their files are the same as before."""
    if {each.id for each in before} != {each.id for each in context.containers()}:
        return False
    folder = context.state.path / kept.rollback_folder(deploy.id)
    return same(folder / kept.FILES, context.state.path / FILES)
