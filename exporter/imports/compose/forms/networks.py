"""`networks` and `extra_hosts` of a service."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.catalog.values.words import quoted
from exporter.imports.compose.expressions import split
from exporter.imports.compose.forms.base import FormError, items_of, mapping_of, optional, text_of, texts_of

if TYPE_CHECKING:
    from exporter.imports.project import ModelPath


@dataclass(frozen=True, slots=True)
class Attachment:
    """A network that a service is on."""

    network: str
    path: ModelPath
    aliases: tuple[str, ...] = ()
    ipv4_address: str | None = None
    ipv6_address: str | None = None
    rest: dict[str, Any] = field(default_factory=dict)
    """Other keys: priority, mac_address, driver_opts, …"""


@dataclass(frozen=True, slots=True)
class ExtraHost:
    """A host name with its addresses."""

    name: str
    addresses: tuple[str, ...]
    path: ModelPath


def attachments(value: Any) -> tuple[Attachment, ...]:
    """Return the networks of a service. Without any, Compose takes the network `default`.

    Raises:
        FormError: an entry has another form.
    """
    if not isinstance(value, dict):
        return tuple(Attachment(name, (index,)) for index, name in enumerate(texts_of(value)))
    found = []
    for name, entry in value.items():
        options = mapping_of(entry, (name,))
        found.append(
            Attachment(
                name,
                (name,),
                texts_of(options.get("aliases")),
                optional(options, "ipv4_address", (name,)),
                optional(options, "ipv6_address", (name,)),
                {key: inner for key, inner in options.items() if key not in _NAMED},
            )
        )
    return tuple(found)


def extra_hosts(value: Any) -> tuple[ExtraHost, ...]:
    """Return the hosts; a name in several entries has the addresses of all.

    Raises:
        FormError: an entry has no address.
    """
    found: dict[str, ExtraHost] = {}
    if isinstance(value, dict):
        return tuple(
            ExtraHost(name, tuple(map(_bare, texts_of(inner or ""))), (name,))
            for name, inner in value.items()
        )
    for path, item in items_of(value):
        name, addresses = _entry(text_of(item, path), path)
        known = found.get(name)
        found[name] = ExtraHost(name, (*known.addresses, *addresses) if known else addresses, path)
    return tuple(found.values())


def _entry(text: str, path: ModelPath) -> tuple[str, tuple[str, ...]]:
    for separator in "=:":
        name, *rest = split(text, separator)
        if rest and (not name or ":" in name):
            raise FormError(f"{quoted(name)} is not a host name; write NAME=ADDRESS", path)
        if rest:
            return name, tuple(_bare(address) for address in split(separator.join(rest), ","))
    raise FormError("has no address; write NAME=ADDRESS", path)


def _bare(address: str) -> str:
    return address[1:-1] if address.startswith("[") and address.endswith("]") else address


_NAMED = frozenset({"aliases", "ipv4_address", "ipv6_address"})
