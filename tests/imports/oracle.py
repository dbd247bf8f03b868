"""What Compose 2 itself makes of files, in the forms that our reader gives, so that both can be compared.

`config` is asked without interpolation: it would print the values of variables and env files.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from exporter.imports.compose.forms.ports import Port, single
from exporter.imports.compose.forms.resources import file_resource, resource
from exporter.imports.compose.forms.service import read
from exporter.imports.compose.scalars import container_text
from tests.components import compose_2

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FLAGS = (
    "--no-interpolate",
    "--no-normalize",
    "--no-consistency",
    "--no-path-resolution",
    "--format",
    "json",
)
_NOT_COMPARED = frozenset({"raw", "path", "text", "dropped", "mode", "certain", "options"})
"""Of the short form, or a default that Compose adds in its own."""
_UNORDERED = frozenset(
    {"environment", "labels", "ports", "extra_hosts", "args", "sysctls", "depends_on", "networks", "ulimits"}
)
_ONE_OR_MANY = frozenset({"dns", "dns_search"})
_ADDED = {"bind": {"create_host_path": True}, "volume": {}, "deploy": {}}
"""What Compose adds to a short form."""


def ask(folder: Path, files: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Return what Compose says about the files of a folder."""
    named = [argument for file in files for argument in ("-f", file)]
    command = [compose_2(), *named, "--profile", "*", "config", *FLAGS]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True, timeout=60)


def model(folder: Path, files: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return Compose's own model of the files of a folder."""
    done = ask(folder, files)
    assert not done.returncode, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def essence(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a model says, whichever form it is written in."""
    volumes = found.get("volumes") or {}
    services = {}
    for name, value in (found.get("services") or {}).items():
        service, errors = read(name, value, volumes)
        assert not errors, errors
        services[name] = _plain(service)
    return {
        "services": services,
        **{
            section: {name: _plain(form(name, value)) for name, value in (found.get(section) or {}).items()}
            for section, form in (
                ("volumes", resource),
                ("networks", resource),
                ("secrets", file_resource),
                ("configs", file_resource),
            )
        },
        **{key: _plain(value) for key, value in found.items() if key.startswith("x-")},
    }


def _plain(value: Any, key: str = "") -> Any:
    if is_dataclass(value):
        return {
            field.name: _plain(getattr(value, field.name), field.name)
            for field in fields(value)
            if field.name not in _NOT_COMPARED
        }
    if isinstance(value, dict):
        # Compose omits what is null or empty.
        inner = {name: _plain(child, name) for name, child in value.items() if child not in (None, [], {})}
        return {name: child for name, child in inner.items() if _ADDED.get(name) != child}
    if key in _ONE_OR_MANY and isinstance(value, str):
        return [value]
    if isinstance(value, list | tuple):
        each = [one for item in value for one in (single(item) if isinstance(item, Port) else (item,))]
        items = [_plain(item) for item in each]
        return sorted(items, key=str) if key in _UNORDERED else items
    return value if isinstance(value, bool) else container_text(value)
