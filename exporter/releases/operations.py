"""Deploy and rollback of one environment, from the first check to the final message."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from exporter.host.compose import find_compose
from exporter.host.engine import connected
from exporter.host.failures import WRONG_USAGE, OperationError
from exporter.host.preflight import Preflight, require
from exporter.releases.context import Context
from exporter.releases.deploying import Mode, missing, planned, release, scope
from exporter.releases.frame import approve, changing, last_words, show_plan
from exporter.releases.journal import Journal
from exporter.releases.repairing import Repaired, repair
from exporter.releases.rolling_back import go_back, missing_images, target_for
from exporter.releases.rolling_back import planned as planned_back

if TYPE_CHECKING:
    from exporter.host.command import Run
    from exporter.host.site import Site
    from exporter.releases.deploying import Wish
    from exporter.releases.frame import Options
    from exporter.releases.plan import Plan


def deploy(run: Run, site: Site, wish: Wish, options: Options) -> None:
    """Deploy the request, or with --dry-run show what would be done.

    Raises:
        OperationError: It was not deployed; the sentence says what is running.
    """
    screen, preflight = run.screen, Preflight(site)
    screen.say("== pre-flight")
    with preflight.connected() as engine:
        require(preflight.findings(), screen)
        if engine is None or preflight.host.compose is None:
            raise OperationError("the pre-flight checks failed; nothing was changed")
        context = Context(site, engine, preflight.host.compose.command, screen)
        plan = planned(context, wish)
        show_plan(context, f"plan of {site.title}, tag {wish.tag}", plan)
        if wish.mode is Mode.MISSING:
            _say_images(context, wish)
        if options.dry_run:
            if site.protected:
                screen.say("would ask for approval, and back up first")
            screen.say(
                f"would start {wish.what} of {site.compose_project} with tag {wish.tag}, verify it within "
                f"{site.verify_seconds} s, and roll back if it is not healthy"
            )
            _print_plan(context, plan, wish.tag, options)
            return
        approve(site, f"deploy {wish.what} with tag {wish.tag}", "deploy", options)
        with changing(run, context) as context:
            repair(context)
            record = release(context, wish)
    what = f"{wish.what} with tag {wish.tag}, verified (deploy {record.id})"
    last_words(run, f"{site.title}: {what}", record, options)


def rollback(run: Run, site: Site, service: str, to: str, options: Options) -> None:
    """Roll back to the release before the last good deploy, or to the tag or deploy `to`.

    Raises:
        OperationError: There is nothing to roll back to, or that release is not healthy.
    """
    screen = run.screen
    with connected(site.docker_host) as engine:
        if not engine.is_local:
            raise OperationError(
                f"the engine at {engine.where} is on another host; run this command on that host"
            )
        context = Context(site, engine, find_compose(), screen)
        left = Journal(site.state).interrupted()
        if left is None:
            _plan_back(context, service, to, options)
        elif options.dry_run:
            screen.say(f'would finish the {left[0].kind} that was killed at the step "{left[1]}"')
        if options.dry_run:
            return
        approve(site, "roll back to the previous release", "rollback", options)
        with changing(run, context) as context:
            repaired = repair(context)
            if repaired is Repaired.NOT_HEALTHY:
                raise OperationError("the release before the interrupted deploy is not healthy, see above")
            if repaired is Repaired.TAKEN_BACK:
                screen.say(
                    f"{site.title} is back on the release before the interrupted deploy; "
                    "run this again to go back further"
                )
                return
            target = target_for(context, service, to)
            record = go_back(context, target)
    what = f"{target.service or 'all services'} as before deploy {target.base}"
    tag = f", tag {target.tag}" if target.tag else ""
    last_words(run, f"{site.title}: {what}{tag}, verified", record, options)


def check_service(site: Site, service: str) -> None:
    """Check that the environment has this service; empty means all.

    Raises:
        OperationError: There is no such service.
    """
    if service and service not in site.all_services:
        known = " ".join(site.all_services)
        raise OperationError(f"unknown service {service}; {site.environment} has {known}", WRONG_USAGE)


def _plan_back(context: Context, service: str, to: str, options: Options) -> None:
    target = target_for(context, service, to)
    plan = planned_back(context, target)
    show_plan(context, f"plan of {context.site.title}: the release before deploy {target.base}", plan)
    absent = missing_images(context, target)
    if absent:
        raise OperationError(f"images no longer on this host: {', '.join(absent)}; nothing was changed")
    context.screen.say("  all images are on this host")
    if options.dry_run:
        _print_plan(context, plan, target.tag, options)


def _say_images(context: Context, wish: Wish) -> None:
    absent = missing(context, scope(context, wish))
    for verb, here in (("built", True), ("pulled", False)):
        names = [name for name, built in absent.items() if built is here]
        if names:
            context.screen.say(f"  images to be {verb}: {' '.join(names)}")


def _print_plan(context: Context, plan: Plan, tag: str, options: Options) -> None:
    if options.json:
        site = context.site
        found = {
            "project": site.project,
            "environment": site.environment,
            "tag": tag,
            "services": plan.as_json(),
        }
        print(json.dumps(found, indent=2))
