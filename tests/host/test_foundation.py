"""Smoke: the example's production environment as a site."""

from __future__ import annotations

from pathlib import Path

from exporter.catalog.loading import load_catalog
from exporter.host.site import Site

ROOT = Path(__file__).parents[2]
CATALOG = ROOT / "config.example.yaml"


def test_a_site_says_what_environment_sh_told_the_scripts() -> None:
    site = Site.of(
        load_catalog(CATALOG, "production"), CATALOG, ROOT, {"TAG": "v7", "STATE_FOLDER": "/srv/state"}
    )
    assert site.compose_project == "pageforge-production"
    assert site.protected
    assert site.docker_host == "ssh://deploy@pageforge.example.com"
    assert site.verify_seconds == 180
    assert site.tag == "v7"
    assert site.state_folder == Path("/srv/state")
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
    assert site.all_services[-1] == "grafana"
