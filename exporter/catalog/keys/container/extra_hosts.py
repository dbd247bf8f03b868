"""The key `extra_hosts`: lines of a container's `/etc/hosts`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from exporter.catalog.values.texts import Interpolated

_Written = dict[str, Interpolated | tuple[Interpolated, ...]] | tuple[str, ...]


def _shorthand(value: object) -> object:
    """Return each host with its addresses: of a mapping, or of a list of `host:address` or `host=address`."""
    found: dict[str, tuple[object, ...]] = {}
    if isinstance(value, tuple):
        for item in value:
            at = item.find("=" if "=" in item else ":") if isinstance(item, str) else 0
            if not isinstance(item, str) or at < 1 or at == len(item) - 1:
                raise ValueError("an extra host is text such as db.example:192.168.1.5, host and address")
            host, address = item[:at], item[at + 1 :]
            found[host] = (*found.get(host, ()), address.removeprefix("[").removesuffix("]"))
        return found
    if isinstance(value, dict):
        return {host: item if isinstance(item, tuple) else (item,) for host, item in value.items()}
    return value


ExtraHosts = Annotated[
    dict[str, tuple[Interpolated, ...]], BeforeValidator(_shorthand, json_schema_input_type=_Written)
]
