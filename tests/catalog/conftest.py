"""A fixture that writes a short catalog to `config.yaml` in an empty folder."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.catalog.doors import Write


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Return a function that writes a catalog. Errors name it `config.yaml`, because its folder is the current one."""
    monkeypatch.chdir(tmp_path)

    def write_catalog(text: str, *, project: bool = True) -> str:
        head = "project: shop\n" if project else ""
        (tmp_path / "config.yaml").write_text(
            head + textwrap.dedent(text).removeprefix("\n"), encoding="utf-8"
        )
        return "config.yaml"

    return write_catalog
