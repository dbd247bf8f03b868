"""Change which replicas of a service nginx asks: the generated configuration with addresses in place of a name.

While old replicas stop, nginx would still know them from the engine's DNS, for as long as it keeps an answer. What was
sent to one in that moment would be lost, if it must not be sent twice. So it gets the addresses of the new ones first.
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
    """Return the configuration in which `service` is asked at these addresses alone; None where it does not name it.

    The name stays, marked as down: nginx goes on looking it up, and knows its replicas when it is asked again.
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
    """Return the ids of nginx's workers among "PID ARGUMENTS" lines, also of those that only end their requests."""
    split = (line.partition(" ") for line in processes)
    return {pid for pid, _, arguments in split if _WORKER in arguments}


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address
