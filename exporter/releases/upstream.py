"""The replicas that nginx uses for a service: the generated configuration with addresses in place of a name.

nginx caches the engine's DNS, so it would still send requests to old replicas while they stop. Requests that must not
be repeated would be lost. So nginx gets the addresses of the new replicas first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SERVER = re.compile(
    r"(?P<indent>\s*)server\s+(?P<name>[^\s:;]+):(?P<port>[0-9]+)\s+resolve(?P<settings>[^;]*);\s*"
)
_WORKER = "nginx: worker process"


def with_addresses(text: str, service: str, addresses: Sequence[str]) -> str | None:
    """Return the configuration with only these addresses for `service`, or None if it does not contain the service.

    The name stays, marked as down: nginx keeps resolving it, and knows its replicas when it is used again.
    """
    if not addresses:
        return None
    lines, found = [], False
    for line in text.splitlines():
        match = _SERVER.fullmatch(line)
        if match is None or match["name"] != service:
            lines.append(line)
            continue
        found = True
        indent, port, settings = match["indent"], match["port"], match["settings"]
        lines += [f"{indent}server {_host(each)}:{port}{settings};" for each in addresses]
        lines.append(f"{indent}server {service}:{port} resolve down;")
    return "\n".join(lines) + "\n" if found else None


def workers(processes: Iterable[str]) -> set[str]:
    """Return the ids of nginx's workers in "PID ARGUMENTS" lines, also of those that are shutting down."""
    split = (line.partition(" ") for line in processes)
    return {pid for pid, _, arguments in split if _WORKER in arguments}


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address
