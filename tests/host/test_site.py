"""The settings of an environment: variables override .env, which overrides the catalog; errors are one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.catalog.loading import load_catalog
from exporter.host.failures import OperationError
from exporter.host.site import HANDED_OVER, Site, load_site, read_variables
from tests.host.places import make_site

ROOT = Path(__file__).parents[2]
CATALOG = ROOT / "config.example.yaml"


def test_a_site_says_what_environment_sh_told_the_scripts() -> None:
    site = Site.of(load_catalog(CATALOG, "production"), CATALOG, ROOT, {})
    assert site.compose_project == "pageforge-production"
    assert site.protected
    assert site.docker_host == "ssh://deploy@pageforge.example.com"
    assert site.verify_seconds == 180
    assert site.state_folder == Path("/var/lib/pageforge/production")
    assert site.secrets_folder == Path("/etc/pageforge/production/secrets")
    assert site.backup_folder == Path("/var/backups/pageforge")
    assert [(each.name, each.level, each.replicas) for each in site.services if each.level == 2] == [
        ("api-gateway", 2, 3),
        ("layout-frontend", 2, 1),
    ]
    assert site.stores == ("postgres", "mongodb", "redis")
    assert site.file_stores == ("forms-cache",)
    assert site.gateway == "gateway"
    assert site.gateway_profile is None
    assert site.all_services[-4:] == ("docker-proxy", "prometheus", "alertmanager", "grafana")


@pytest.mark.parametrize(
    ("own", "written", "folder", "tag"),
    [
        ({}, "", "/var/lib/shop/staging", None),
        ({}, 'TAG="v1"\nSTATE_FOLDER=/a b\n', "/a b", "v1"),
        ({"TAG": "v2", "STATE_FOLDER": "/c"}, "TAG=v1\nSTATE_FOLDER=/a\n", "/c", "v2"),
        ({"TAG": ""}, "TAG=v1", "/var/lib/shop/staging", "v1"),
        ({}, "# TAG=v0\nTAG=v1\nTAG='$(id)'\n", "/var/lib/shop/staging", "$(id)"),
    ],
)
def test_precedence(tmp_path: Path, own: dict[str, str], written: str, folder: str, tag: str | None) -> None:
    made = make_site(tmp_path)
    (made.folder / ".env").write_text(written)
    site = Site.of(made.catalog, made.config, made.root, own)
    assert str(site.state_folder) == folder
    assert site.tag == tag


def test_a_relative_folder_would_depend_on_where_one_stands(tmp_path: Path) -> None:
    made = make_site(tmp_path)
    with pytest.raises(OperationError, match="STATE_FOLDER is state; set it to an absolute path") as caught:
        Site.of(made.catalog, made.config, made.root, {"STATE_FOLDER": "state"})
    assert caught.value.status == 2


def test_files_are_found_beside_the_catalog_or_here_or_where_root_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_site(tmp_path / "root")
    elsewhere = tmp_path / "catalogs/shop.yaml"
    elsewhere.parent.mkdir()
    elsewhere.write_text(made.config.read_text())
    monkeypatch.chdir(tmp_path)
    assert load_site(made.config, "staging").root == made.root
    assert load_site(elsewhere, "staging", made.root).root == made.root
    with pytest.raises(
        OperationError, match=r"no generated files of staging .* generate them with: exporter gen"
    ):
        load_site(elsewhere, "staging")
    monkeypatch.chdir(made.root)
    assert load_site(elsewhere, "staging").root == made.root


def test_what_was_copied_to_the_host_has_a_local_engine(tmp_path: Path) -> None:
    site = make_site(tmp_path, "far")
    assert site.docker_host == "ssh://deploy@far.example.com"
    (site.root / HANDED_OVER).touch()
    assert site.docker_host is None


def test_secrets_in_variables_are_not_in_its_repr(tmp_path: Path) -> None:
    made = make_site(tmp_path)
    site = Site.of(made.catalog, made.config, made.root, {"S3_SECRET_KEY": "hunter2"})
    assert "hunter2" not in repr(site)


def test_variables_that_cannot_be_read(tmp_path: Path) -> None:
    assert read_variables(tmp_path / "none") == {}
    with pytest.raises(OperationError, match="cannot be read"):
        read_variables(tmp_path)
