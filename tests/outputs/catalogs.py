"""Catalogs for the tests of outputs: every kind of receiver, and text that breaks careless code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from exporter.catalog.loading import load_catalog

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.outputs.base import Render

EXAMPLE = Path(__file__).parent.parent.parent / "config.example.yaml"
ENVIRONMENTS = ("development", "testing", "staging", "production")

NASTY = "a \"b\" 'c' \\d {{ .e }} $f $ {{g}} `h` %i #j: ü\u2028\u00a0🚀 k\nl\tm "
NASTY_YAML = (
    '"a \\"b\\" \'c\' \\\\d {{ .e }} $f $ {{g}} `h` %i #j: \\u00fc\\u2028\\u00a0\\U0001f680 k\\nl\\tm "'
)

EVERY_RECEIVER = f"""
project: shop
description: {NASTY_YAML}
defaults: {{owner: all}}
owners:
  all:
    slack: [{{channel: {NASTY_YAML}}}, {{channel: "#own", url: {{secret: own_slack}}, severities: [info]}}]
    pagerduty: {{key: {{secret: pager}}}}
    email: [oncall@example.com, "{{{{.x}}}}@example.com"]
    webhook:
      - http://127.0.0.1:9/a%20b?c={{{{d}}}}&e=$f#ü
      - {{url: {{secret: hook}}, bearer_token: {{file: /run/secrets/token}}, resolved: false}}
    opsgenie: {{key: "${{OPSGENIE_KEY}}", team: {NASTY_YAML}, severities: [critical, warning]}}
  pager-only: {{pagerduty: {{key: {{secret: pager}}}}}}
  silent: {{description: {NASTY_YAML}}}
services:
  web: {{image: web, port: 80, description: {NASTY_YAML}, depends_on: db}}
  api: {{image: api, port: 80, owner: pager-only}}
  job: {{image: job, port: 80, owner: silent}}
stores: {{db: {{engine: redis}}}}
secrets: {{own_slack: , pager: , hook: , mail: , slack: }}
alertmanager:
  slack_url: {{secret: slack}}
  smtp: {{address: "[::1]:2525", sender: "{{{{x}}}}@example.com", username: {NASTY_YAML}, password: {{secret: mail}}}}
  watchdog: all
prometheus: {{external_labels: {{team: {NASTY_YAML}}}}}
maintenance:
  - {{name: night, when: "Mon,Sun 22:30-01:00", timezone: Europe/Berlin, services: [web, db]}}
  - {{name: night, when: "23:00-24:00", services: web}}
  - {{name: patch, when: "Fri 00:00-24:00", services: api}}
  - {{name: all, when: "Tue 03:00-03:30"}}
"""

TEAMS = "project: shop\nowners: {all: {teams: {secret: teams}}}\nservices: {}\nsecrets: {teams: }\n"


def catalog_of(folder: Path, text: str, environment: str | None = None) -> Catalog:
    file = folder / "config.yaml"
    file.write_text(text, encoding="utf-8")
    return load_catalog(file, environment)


def rendered(render: Render, catalog: Catalog, folder: Path) -> Path:
    """Write the output's files and return the folder."""
    for file in render(catalog):
        place = folder / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(file.text, encoding="utf-8")
    return folder
