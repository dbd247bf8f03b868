"""A catalog of a few lines, written to `config.yaml` in an empty folder."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.catalog.doors import Write


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a catalog; errors name it `config.yaml`, since the folder is the current one."""
    monkeypatch.chdir(tmp_path)

    def write_catalog(text: str, *, project: bool = True) -> str:
        head = "project: shop\n" if project else ""
        (tmp_path / "config.yaml").write_text(
            head + textwrap.dedent(text).removeprefix("\n"), encoding="utf-8"
        )
        return "config.yaml"

    return write_catalog
