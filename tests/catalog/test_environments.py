"""Environments override values of the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.loading import load_catalog, load_plan
from tests.catalog.doors import all_mistakes, mistakes

if TYPE_CHECKING:
    from tests.catalog.doors import Write

SHOP = """
services:
  web: {image: web, port: 80, health: /up, labels: {a: 1, b: 2}, secrets: [one, two]}
secrets: {one: , two: , three: }
environments:
  development:
    address: localhost:{port}
    services:
      web: {port: 5173, labels: {b: 3}, secrets: [three], health: ~}
      mail: {image: mail, port: 1025}
  production:
    services: {web: {replicas: 3}}
"""


def test_the_first_environment_is_the_default(write: Write) -> None:
    path = write(SHOP)
    assert load_plan(path).environment == "development"
    assert load_plan(path) == load_plan(path, "development")


def test_mappings_merge_lists_are_replaced_and_null_takes_away(write: Write) -> None:
    path = write(SHOP)
    web = load_catalog(path, "development").services["web"]
    assert (web.image, web.port, web.labels, web.secrets, web.health) == (
        "web",
        5173,
        {"a": "1", "b": "3"},
        ("three",),
        None,
    )
    assert [target.target for target in load_plan(path).targets] == ["localhost:5173", "localhost:1025"]


def test_environments_do_not_touch_one_another(write: Write) -> None:
    catalog = load_catalog(write(SHOP), "production")
    web = catalog.services["web"]
    assert (catalog.environment_name, list(catalog.services)) == ("production", ["web"])
    assert (web.port, web.replicas, web.secrets) == (80, 3, ("one", "two"))


def test_unknown_environment(write: Write) -> None:
    assert mistakes(write(SHOP), "producton") == [
        'config.yaml: environments: unknown environment "producton"; did you mean "production"?'
    ]
    assert mistakes(write("services: {}\n"), "production") == [
        'config.yaml: environments: unknown environment "production"; known: default'
    ]


def test_a_mistake_in_an_overlay_points_into_the_overlay(write: Write) -> None:
    path = write(
        """
        services:
          web: {image: web, port: 80}
        environments:
          development:
            services:
              web: {prt: 81, replicas: many}
              wbe: {replicas: 2}
            gatewy: {host: shop.example}
          production: {}
        """
    )
    expected = [
        'config.yaml:7:13: environments.development.services.web.prt: unknown key; did you mean "port"?',
        'config.yaml:7:22: environments.development.services.web.replicas: expected a whole number, found text "many"',
        'config.yaml:8:7: environments.development.services.wbe: unknown service "wbe"; did you mean "web"?',
        'config.yaml:9:5: environments.development.gatewy: unknown key; did you mean "gateway"?',
    ]
    assert mistakes(path, "development") == expected
    assert all_mistakes(path) == expected


def test_validation_covers_every_environment_and_says_each_mistake_once(write: Write) -> None:
    path = write(
        """
        services:
          web: {image: web, port: 80, owner: nobody}
          api: {image: api, port: 80}
        environments:
          development: {address: "localhost:{port}"}
          laptop: {address: "127.0.0.1:{port}"}
          production: {services: {web: {replicas: x}}}
        """
    )
    assert all_mistakes(path) == [
        'config.yaml:3:31: services.web.owner: unknown owner "nobody"; there is none',
        (
            'config.yaml:4:21: services.api.port: port 80 of the host is taken; "web" has it; '
            "set host_port on one of them (environments development, laptop)"
        ),
        'config.yaml:8:33: environments.production.services.web.replicas: expected a whole number, found text "x"',
    ]
    assert mistakes(path, "production") == [all_mistakes(path)[0], all_mistakes(path)[2]]
