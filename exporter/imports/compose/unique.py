"""Entries of lists that name the same thing: the last one replaces the first.

Compose merges lists by joining them, so `ports` of an override would otherwise hold each port twice.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from exporter.imports.compose.expressions import split
from exporter.imports.compose.scalars import container_text
from exporter.imports.project import Value

if TYPE_CHECKING:
    from collections.abc import Callable

Identity = str | None
"""What an entry is about; None: unlike any other."""


def unique(tree: Value) -> Value:
    """Return the model without the entries that later ones replace."""
    if not isinstance(tree.content, dict):
        return tree
    content = dict(tree.content)
    for section, lists in _LISTS.items():
        members = content.get(section)
        if members is not None and isinstance(members.content, dict):
            named = {name: _member(member, lists) for name, member in members.content.items()}
            content[section] = Value(named, members.place)
    return Value(content, tree.place)


def _member(member: Value, lists: dict[tuple[str, ...], Callable[[Value], Identity]]) -> Value:
    for path, identity in lists.items():
        member = _at(member, path, identity)
    return member


def _at(value: Value, path: tuple[str, ...], identity: Callable[[Value], Identity]) -> Value:
    """Return the value with the list on a path made unique; the same value where there is nothing to do."""
    if not path:
        return _list(value, identity)
    if not isinstance(value.content, dict):
        return value
    changed = {}
    for key in list(value.content) if path[0] == "*" else path[:1]:
        child = value.content.get(key)
        after = child and _at(child, path[1:], identity)
        if after is not None and after is not child:
            changed[key] = after
    return Value({**value.content, **changed}, value.place) if changed else value


def _list(value: Value, identity: Callable[[Value], Identity]) -> Value:
    if not isinstance(value.content, list):
        return value
    kept: dict[str | int, Value] = {}
    for index, item in enumerate(value.content):
        name = identity(item)
        kept[index if name is None else name] = item
    return value if len(kept) == len(value.content) else Value(list(kept.values()), value.place)


def _text(value: Value) -> str | None:
    return None if isinstance(value.content, dict | list) else container_text(value.content)


def _child(value: Value, key: str) -> str | None:
    child = value.child(key)
    return _text(child) if child else None


def _key(value: Value) -> Identity:
    text = _text(value)
    return None if text is None else text.partition("=")[0]


def _mount(value: Value) -> Identity:
    target = _child(value, "target")
    if isinstance(value.content, str):
        parts = split(value.content, ":")
        target = parts[1] if len(parts) > 1 else parts[0]
    return target and posixpath.normpath(target)


def _device(value: Value) -> Identity:
    if isinstance(value.content, str):
        parts = value.content.split(":")
        return parts[1] if len(parts) > 1 else parts[0]
    return _child(value, "target")


def _port(value: Value) -> Identity:
    if isinstance(value.content, dict):
        address, published, target = (_child(value, key) or "" for key in ("host_ip", "published", "target"))
        return _binding(address, published, target, _child(value, "protocol") or "tcp")
    text = _text(value) or ""
    text, _, protocol = text.partition("/") if not text.endswith("}") else (text, "", "")
    parts = ["", "", *split(text, ":")]
    return _binding(":".join(parts[2:-2]), parts[-2], parts[-1], protocol or "tcp")


def _binding(address: str, published: str, target: str, protocol: str) -> Identity:
    return f"{'' if address == '0.0.0.0' else address}:{published}:{target}/{protocol}"  # noqa: S104 - only compared


def _grant(folder: str) -> Callable[[Value], Identity]:
    def identity(value: Value) -> Identity:
        source = value.content if isinstance(value.content, str) else _child(value, "source")
        return _child(value, "target") or f"{folder}/{source}"

    return identity


def _env_file(value: Value) -> Identity:
    text = value.content if isinstance(value.content, str) else _child(value, "path")
    # Two files that extend each other may both say ./.env and mean their own.
    return text and posixpath.join(str(value.place.source.folder or ""), text)


_KEYED = (
    "annotations build.args build.additional_contexts build.platforms build.tags build.labels cap_add cap_drop "
    "deploy.labels dns dns_opt dns_search environment expose labels links networks.*.aliases "
    "networks.*.link_local_ips profiles sysctls tmpfs"
)
_LISTS: dict[str, dict[tuple[str, ...], Callable[[Value], Identity]]] = {
    "services": {
        **{tuple(path.split(".")): _key for path in _KEYED.split()},
        ("configs",): _grant(""),
        ("devices",): _device,
        ("env_file",): _env_file,
        ("ports",): _port,
        ("secrets",): _grant("/run/secrets"),
        ("volumes",): _mount,
    },
    "networks": {("labels",): _key, ("ipam", "options"): _key},
}
