"""Replace the replicas of a service: new ones first; the old ones end when those are healthy and take requests.

The engine's DNS names a container to the gateway as soon as it runs, healthy or not. Requests would be lost on those
that only begin, and nginx leaves one alone for a while that has refused a few. So until they are healthy, new replicas
are kept off the networks that they share with the gateway.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from exporter.host.failures import OperationError
from exporter.releases.handover import Gateway
from exporter.releases.waiting import wait_healthy

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from exporter.host.containers import Container
    from exporter.releases.context import Context

MORE_REPLICAS = "replicas.yaml"


def replace(context: Context, folder: Path, service: str, wanted: int) -> None:
    """Have `wanted` replicas of `service` run as the files in `folder` say.

    Raises:
        UnhealthyError: the new ones are not healthy in time; the old ones still run.
    """
    there = context.containers(service)
    old = outdated(context, folder, service, there, wanted)
    gone = {each.id for each in old}
    if wanted > len(there) - len(old):
        _make(context, folder, service, wanted + len(old))
    new = [each for each in context.containers(service) if each.id not in gone]
    if not new:
        raise OperationError(f"Compose has made no replica of {service}")
    gateway = Gateway(context)
    if old:
        gateway.start()
    known = context.compose(folder).networks(service)
    shared = gateway.networks() & set(known)
    for each in new:
        _hold_back(context, each, known, shared)
    context.engine.start(*(each.id for each in new))
    end = time.monotonic() + context.site.verify_seconds
    wait_healthy(context, lambda: [context.engine.container(each.id) for each in new], end)
    for each in new:
        _join(context, each, known)
    if not old:
        return
    if shared:
        gateway.ask_alone(service, [context.engine.container(each.id) for each in new])
    context.remove(old)
    gateway.ask_all()


def outdated(
    context: Context, folder: Path, service: str, there: Sequence[Container], wanted: int
) -> list[Container]:
    """Return those that Compose would recreate, and those that are more than `wanted`."""
    compose = context.compose(folder)
    name = compose.images().get(service, "")
    image = context.engine.image(name)
    if image is None:
        raise OperationError(f"the image {name} of {service} is not on the engine")
    hash_ = compose.hash(service)
    current = [each for each in there if (each.image_id, each.config_hash) == (image.id, hash_)]
    kept = {each.id for each in current[:wanted]}
    return [each for each in there if each.id not in kept]


def _make(context: Context, folder: Path, service: str, count: int) -> None:
    """Make replicas up to `count` without starting them.

    Not by --scale: Compose 2.26 takes that for a change of the service, and the next `up` would recreate all of them.
    """
    text = f"services: {{{json.dumps(service)}: {{deploy: {{replicas: {count}}}}}}}\n"
    context.state.write(MORE_REPLICAS, text)
    arguments = ("up", "--no-start", "--no-deps", "--no-build", "--no-recreate", service)
    more = (context.state.path / MORE_REPLICAS,)
    try:
        context.act(f"making new replicas of {service}", folder, *arguments, more_files=more)
    finally:
        context.state.remove(MORE_REPLICAS)


def _hold_back(context: Context, container: Container, known: Sequence[str], shared: Collection[str]) -> None:
    """Keep one that was never started off the gateway's networks."""
    apart = [network for network in known if network not in shared]
    # On no network at all it would not find what it depends on, and might never be healthy.
    if container.state != "created" or not apart:
        return
    _join(context, container, apart)
    for network in context.engine.container(container.id).networks:
        if network in shared:
            context.engine.disconnect(network, container.id)


def _join(context: Context, container: Container, networks: Sequence[str]) -> None:
    """Put it on the networks that it is not on: Compose 1 does so only when it starts one itself."""
    there = context.engine.container(container.id).networks
    for network in networks:
        if network not in there:
            aliases = (container.service, container.id[:12])
            context.engine.connect(network, container.id, aliases)
