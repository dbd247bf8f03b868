"""Variables of containers: which hold secrets, and how the catalog writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.catalog.reading.warnings import is_secret, is_secret_name
from exporter.imports.mapping.draft import Outcome
from exporter.imports.mapping.values import literal, only_variable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.imports.compose.forms.pairs import Pair
    from exporter.imports.mapping.draft import Draft
    from exporter.imports.project import ModelPath


def variables(pairs: Iterable[Pair], path: ModelPath, name: str, draft: Draft) -> dict[str, Any]:
    """Return the variables as the catalog writes them. `path`: that of the service's `environment`."""
    return {pair.name: _variable(pair, (*path, *pair.path), name, draft) for pair in pairs}


def reference(pair: Pair, path: ModelPath, name: str, draft: Draft) -> str:
    """Return the name of a secret of the catalog for a variable that holds one."""
    variable = only_variable(pair.value or "") if pair.value else pair.name
    if variable:
        if pair.value and is_secret(variable, literal(pair.value)):
            draft.row(
                Outcome.SECRET,
                path,
                f"the default of {variable} is a secret; it was not copied, set the variable",
            )
        return draft.secret(path, variable, variable=variable)
    return draft.secret(path, f"{name}_{pair.name}")


def _variable(pair: Pair, path: ModelPath, name: str, draft: Draft) -> Any:
    if pair.value is None:
        return None
    if _is_written(pair) and only_variable(pair.value) is None:
        return {"secret": reference(pair, path, name, draft), "as": "variable"}
    if is_secret_name(pair.name) and (variable := only_variable(pair.value)) and _is_written(pair):
        sentence = f"the default of {variable} is a secret; it was not copied, set the variable"
        draft.row(Outcome.SECRET, path, sentence)
        return f"${{{variable}}}"
    return draft.text(pair.value, path)


def _is_written(pair: Pair) -> bool:
    """True if the value, or the default of its variable, is a secret."""
    value = literal(pair.value or "")
    return bool(value) and is_secret(pair.name, value)
