"""Which volume of the engine is a volume of the catalog. The engine is a stand-in: only its lists of volumes matter."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from exporter.backups.docker_host import VOLUME_LABEL, DockerHost
from exporter.backups.subjects import BackupsError
from exporter.catalog.loading import load_catalog
from exporter.catalog.planning.places import fixed_volumes
from exporter.host.containers import PROJECT_LABEL

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from exporter.host.engine import Engine

OURS, THEIRS = {PROJECT_LABEL: "shop-default"}, {PROJECT_LABEL: "shop"}
VOLUMES = {
    "shop-default_data": OURS | {VOLUME_LABEL: "data"},
    "shop-default_old": OURS | {VOLUME_LABEL: "shop-default_old"},  # as docker-compose 1.29 labels it
    "shop_moved": THEIRS | {VOLUME_LABEL: "moved"},
    "shared": {},
    "first": OURS | {VOLUME_LABEL: "twice"},
    "second": OURS | {VOLUME_LABEL: "twice"},
    "stray": {},
}
CATALOG = """
project: shop
services: {web: {image: x, volumes: ['data:/a', 'moved:/b', 'shared:/c', 'gone:/d', 'old:/e', 'twice:/f', 'stray:/g']}}
volumes:
  {data: , moved: {name: shop_moved}, shared: {external: true}, gone: {name: shop_gone}, old: , twice: , stray: }
"""


class Volumes:
    """The part of an engine that knows volumes."""

    def volumes(self, labels: Mapping[str, str]) -> list[str]:
        return [name for name, own in VOLUMES.items() if labels.items() <= own.items()]

    def volume(self, name: str) -> str | None:
        return name if name in VOLUMES else None


@pytest.fixture
def host(tmp_path: Path) -> DockerHost:
    (tmp_path / "config.yaml").write_text(CATALOG)
    catalog = load_catalog(tmp_path / "config.yaml")
    return DockerHost(cast("Engine", Volumes()), "shop-default", fixed=fixed_volumes(catalog))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("data", "shop-default_data"),
        ("old", "shop-default_old"),
        ("moved", "shop_moved"),
        ("shared", "shared"),
        ("gone", None),
        ("stray", None),
    ],
)
def test_the_volume_of_a_name(host: DockerHost, name: str, expected: str | None) -> None:
    assert host.volume_of(name) == expected


def test_two_volumes_of_one_name(host: DockerHost) -> None:
    with pytest.raises(BackupsError, match="2 volumes match twice"):
        host.volume_of("twice")
