"""alertmanager.yml: who is notified of what, how often, and which alerts are muted by others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.outputs.alertmanager.inhibition import inhibit_rules
from exporter.outputs.alertmanager.receivers import global_config
from exporter.outputs.alertmanager.routes import Router
from exporter.outputs.alertmanager.secrets import mounted_secrets
from exporter.outputs.base import File
from exporter.outputs.yaml_text import yaml_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.catalog import Catalog


def render(catalog: Catalog) -> Iterable[File]:
    """Yield the configuration of Alertmanager 0.28 and later in the catalog's environment.

    Raises:
        OutputError: a receiver needs something that the catalog lacks, or a secret cannot be stored in one file.
    """
    mounted_secrets(catalog)  # raises if one is wrong
    router = Router(catalog)
    config: dict[str, Any] = {"global": global_config(catalog), "route": router.tree()}
    intervals = router.time_intervals()
    if intervals:
        config["time_intervals"] = intervals
    config["receivers"] = [{"name": name, **integrations} for name, integrations in router.receivers.items()]
    config["inhibit_rules"] = inhibit_rules(catalog)
    comments = [
        f"Alerts of {catalog.project} in {catalog.environment_name}, routed by owner, then by severity."
    ]
    unheard = router.unheard()
    if unheard:
        comments.append(
            f"NOBODY IS NOTIFIED of alerts that are {' or '.join(unheard)}: no owner has a receiver for them; add one "
            "under owners."
        )
    yield File("alertmanager.yml", yaml_text(config, *comments))
