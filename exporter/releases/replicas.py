"""Replacement of a service's replicas: the old ones stop when the new ones are healthy and get requests.

The engine's DNS gives a container to the gateway as soon as it runs, healthy or not. Requests to starting replicas
would be lost, and nginx avoids a replica for a while after it has refused a few. So until they are healthy, new
replicas are kept off the networks that they share with the gateway.
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
    """Run `wanted` replicas of `service` from the files in `folder`.

    Raises:
        UnhealthyError: The new ones are not healthy in time; the old ones are still running.
    """
    there = context.containers(service)
    old = outdated(context, folder, service, there, wanted)
    gone = {each.id for each in old}
    if wanted > len(there) - len(old):
        _make(context, folder, service, wanted + len(old))
    new = [each for each in context.containers(service) if each.id not in gone]
    if not new:
        raise OperationError(f"Compose created no replica of {service}")
    gateway = Gateway(context)
    if old:
        gateway.start()
    known = context.files(folder).networks[service]
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
    """Return the replicas that Compose would recreate, and those in excess of `wanted`."""
    name = context.files(folder).images.get(service, "")
    image = context.engine.image(name)
    if image is None:
        raise OperationError(f"the image {name} of {service} is not on this host")
    hash_ = context.compose(folder).hash(service)
    current = [each for each in there if (each.image_id, each.config_hash) == (image.id, hash_)]
    kept = {each.id for each in current[:wanted]}
    return [each for each in there if each.id not in kept]


def _make(context: Context, folder: Path, service: str, count: int) -> None:
    """Create replicas up to `count` without starting them.

    Without --scale: Compose 2.26 treats that as a change of the service, and the next `up` would recreate all of them.
    """
    text = f"services: {{{json.dumps(service)}: {{deploy: {{replicas: {count}}}}}}}\n"
    context.state.write(MORE_REPLICAS, text)
    arguments = ("up", "--no-start", "--no-deps", "--no-build", "--no-recreate", service)
    more = (context.state.path / MORE_REPLICAS,)
    try:
        context.act(f"creating new replicas of {service}", folder, *arguments, more_files=more)
    finally:
        context.state.remove(MORE_REPLICAS)


def _hold_back(context: Context, container: Container, known: Sequence[str], shared: Collection[str]) -> None:
    """Keep a container that was never started off the gateway's networks."""
    apart = [network for network in known if network not in shared]
    # Without any network it would not find its dependencies, and might never be healthy.
    if container.state != "created" or not apart:
        return
    _join(context, container, apart)
    for network in context.engine.container(container.id).networks:
        if network in shared:
            context.engine.disconnect(network, container.id)


def _join(context: Context, container: Container, networks: Sequence[str]) -> None:
    """Connect a container to its missing networks: Compose 1 does so only for containers that it starts itself."""
    there = context.engine.container(container.id).networks
    for network in networks:
        if network not in there:
            aliases = (container.service, container.id[:12])
            context.engine.connect(network, container.id, aliases)
