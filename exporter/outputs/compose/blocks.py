"""Common parts of the containers of a Compose file, written once as `x-` blocks and merged into each.

Both versions of Compose ignore keys that begin with `x-`, and their YAML parsers merge mappings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.outputs.yaml_text import MERGE, Apart, Block, Merge

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

CONTAINER, CHECK = "container", "healthcheck"
CONTAINER_KEYS = (
    *(
        "read_only",
        "cap_drop",
        "cap_add",
        "security_opt",
        "restart",
        "cpus",
        "mem_limit",
        "pids_limit",
        "logging",
    ),
    "stop_grace_period",
)
CHECK_KEYS = ("interval", "timeout", "retries", "start_period")


def document_of_services(services: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the common blocks, and `services` that merge them."""
    checks = {name: keys[CHECK] for name, keys in services.items() if CHECK in keys}
    check = _common(list(checks.values()), CHECK_KEYS)
    container = _common(list(services.values()), CONTAINER_KEYS)
    written = {}
    for name, keys in services.items():
        if name in checks:
            keys = {**keys, CHECK: _merged(keys[CHECK], check, CHECK)}
        written[name] = _merged(keys, container, CONTAINER)
    blocks = {
        f"x-{name}": Block(name, block) for name, block in ((CONTAINER, container), (CHECK, check)) if block
    }
    return {**blocks, "services": Apart(written)}


def _common(members: Collection[Mapping[str, Any]], keys: tuple[str, ...]) -> dict[str, Any]:
    """Return the values that more than half of the members have, for keys that all have: a merge cannot remove keys."""
    found = {}
    for key in keys:
        values = [member[key] for member in members if key in member]
        if len(values) < len(members):
            continue
        usual = max(values, key=values.count, default=None)
        if len(members) > 1 and values.count(usual) * 2 > len(members):
            found[key] = usual
    return found


def _merged(keys: Mapping[str, Any], block: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return `keys` without those that the block has, which is merged at the place of the first of them."""
    written: dict[str, Any] = {}
    for key, value in keys.items():
        if key in block:
            written.setdefault(MERGE, Merge(name))
        if key not in block or block[key] != value:
            written[key] = value
    return written
