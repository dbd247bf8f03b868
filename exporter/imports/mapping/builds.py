"""The build of a service, in the catalog's form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.catalog.reading.warnings import is_secret
from exporter.imports.mapping.draft import Outcome
from exporter.imports.mapping.values import literal

if TYPE_CHECKING:
    from exporter.imports.compose.forms.pairs import Pair
    from exporter.imports.compose.forms.service import Service
    from exporter.imports.mapping.draft import Draft
    from exporter.imports.project import ModelPath


def build_keys(service: Service, draft: Draft) -> Any:
    """Return the key `build` of a service that has one."""
    build = service.build
    assert build is not None  # noqa: S101 - as the caller checked
    path = ("services", service.name, "build")
    context = (
        build.context
        if build.context.startswith((".", "/", "~", "$")) or "://" in build.context
        else f"./{build.context}"
    )
    keys: dict[str, Any] = {"context": draft.file(context, path)}
    keys["dockerfile"] = build.dockerfile or "Dockerfile"
    if build.target:
        keys["target"] = draft.text(build.target, path)
    if build.args:
        keys["arguments"] = {
            pair.name: _argument(pair, (*path, "args", *pair.path), draft) for pair in build.args
        }
    draft.row(Outcome.CARRIED, path)
    if build.dockerfile_inline:
        draft.row(Outcome.LEFT, (*path, "dockerfile_inline"), "write it into a Dockerfile")
    for key in build.rest:
        draft.row(Outcome.LEFT, (*path, key), "the catalog builds without it")
    return keys


def _argument(pair: Pair, path: ModelPath, draft: Draft) -> str:
    """Return a build argument. Without a value it has that of the variable of its name."""
    if pair.value is None:
        return f"${{{pair.name}}}"
    if is_secret(pair.name, literal(pair.value)):
        draft.row(Outcome.SECRET, path, f"its value was not copied; set the variable {pair.name}")
        return f"${{{pair.name}}}"
    return draft.text(pair.value, path)
