"""A site with data in its stores, a backup of it, and a gate at which its scripts stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.system.stopped_scripts import Gate, filled_site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.system.backing_up import Site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with filled_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def saved(site: Site) -> tuple[str, dict[str, Any]]:
    """Return a backup and everything that is in it."""
    return site.backup(), site.contents()


@pytest.fixture
def gate(site: Site, tmp_path: Path) -> Gate:
    return Gate(tmp_path / "gate", site)
