"""The key `compose`: what is passed through, how it is laid over the generated file, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from exporter.catalog.compose.specification import schema
from exporter.outputs.compose import render
from exporter.outputs.compose.merging import NoRemovalError, laid_over
from tests.catalog.doors import all_mistakes, warned
from tests.outputs.catalogs import catalog_of
from tests.outputs.compose_files import compose_of, docker_compose, files_of, written

if TYPE_CHECKING:
    from pathlib import Path

PASSED = """
project: shop
services:
  web:
    image: web:1
    port: 80
    public: true
    volumes: ["data:/data"]
    labels: {a: b}
    compose:
      cpu_shares: 512
      security_opt: null
      labels: ["a=c", "d=$E"]
      logging: {options: {max-size: 1m}}
      dns: [1.1.1.1]
      networks: {edge: {aliases: [www]}}
      volumes: ["other:/data:ro"]
      ulimits: {nofile: 1024}
  away: {health: "https://away.example/health"}
stores: {db: {engine: redis, volume: db, compose: {sysctls: {net.core.somaxconn: 1024}, healthcheck: {interval: 1s}}}}
volumes: {data: , db: {compose: {driver: local, driver_opts: {o: "addr=${NFS:-a.test}"}}}}
gateway: {host: a.test, routes: {/: web}}
compose:
  x-note: {a: 1}
  services: {gateway: {cpu_shares: 7}, web: {cpu_shares: 1024}}
  volumes: {other: {}}
  networks: {edge: {labels: {a: b}}}
"""


def test_it_is_laid_over_what_is_generated(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, PASSED)
    found = compose_of(catalog)
    web, db, gateway = (found["services"][name] for name in ("web", "db", "gateway"))
    assert web["cpu_shares"] == 1024, "the whole comes after the service"
    assert "security_opt" not in web
    assert "security_opt" in db
    assert web["labels"] == {"a": "c", "d": "$E"}
    assert web["logging"] == {"driver": "json-file", "options": {"max-size": "1m", "max-file": "3"}}
    assert web["networks"]["edge"] == {"aliases": ["www"]}
    assert web["networks"]["internal"] is None
    assert web["volumes"] == ["other:/data:ro"]
    assert db["healthcheck"]["interval"] == "1s"
    assert db["healthcheck"]["timeout"] == "10s"
    assert gateway["cpu_shares"] == 7
    assert found["volumes"]["db"] == {
        "name": "shop-default_db",
        "driver": "local",
        "driver_opts": {"o": "addr=${NFS:-a.test}"},
    }
    assert found["volumes"]["other"] == {}
    assert found["networks"]["edge"] == {"name": "shop-default_edge", "labels": {"a": "b"}}
    assert found["x-note"] == {"a": 1}
    jsonschema.Draft202012Validator(schema()).validate(found)
    example = files_of(catalog)[".env.example"]
    assert "# Read by the volumes of the file.\n" in example
    assert "\nE=\n" in example
    assert "\nNFS=\n" in example


def test_docker_compose_1_reads_it(tmp_path: Path) -> None:
    loaded = docker_compose(written(render, catalog_of(tmp_path, PASSED), tmp_path), "config", E="e", TAG="1")
    assert loaded["services"]["web"]["labels"] == {"a": "c", "d": "e"}
    assert loaded["services"]["web"]["cpu_shares"] == 1024


def test_without_it_nothing_changes(tmp_path: Path) -> None:
    plain = "project: shop\nservices: {web: {image: 'w:1', port: 80}}\n"
    empty = "project: shop\nservices: {web: {image: 'w:1', port: 80, compose: {}}}\ncompose: {}\n"
    assert files_of(catalog_of(tmp_path, plain)) == files_of(catalog_of(tmp_path, empty))


MERGED: dict[str, tuple[Any, Any, Any]] = {
    "a mapping by key": ({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}, {"a": {"b": 1, "c": 3}}),
    "null removes": ({"a": 1, "b": {"c": 1, "d": 2}}, {"a": None, "b": {"c": None}}, {"b": {"d": 2}}),
    "null where nothing is": ({}, {"a": None, "b": {"c": None, "d": 1}}, {"b": {"d": 1}}),
    "a list is joined": ({"cap_drop": ["A"]}, {"cap_drop": ["A", "B"]}, {"cap_drop": ["A", "B"]}),
    "one and a list": ({"dns": ["1.1.1.1"]}, {"dns": "8.8.8.8"}, {"dns": ["1.1.1.1", "8.8.8.8"]}),
    "a command": ({"command": ["a"]}, {"command": "b c"}, {"command": "b c"}),
    "a test": (
        {"healthcheck": {"test": ["CMD", "a"]}},
        {"healthcheck": {"test": "b"}},
        {"healthcheck": {"test": "b"}},
    ),
    "variables as a list": (
        {"environment": {"A": "a", "B": "b"}},
        {"environment": ["B=c=d", "C"]},
        {"environment": {"A": "a", "B": "c=d", "C": None}},
    ),
    "variables that go": (
        {"environment": {"A": "a", "B": ""}},
        {"environment": {"A": None}},
        {"environment": {"B": ""}},
    ),
    "networks": (
        {"networks": ["a", "b"]},
        {"networks": {"a": {"aliases": ["x"]}, "b": None, "c": {}}},
        {"networks": {"a": {"aliases": ["x"]}, "c": {}}},
    ),
    "networks as lists": (
        {"networks": ["a"]},
        {"networks": ["a", "b"]},
        {"networks": {"a": None, "b": None}},
    ),
    "dependencies": (
        {"depends_on": {"a": {"condition": "service_healthy"}}},
        {"depends_on": ["b"]},
        {"depends_on": {"a": {"condition": "service_healthy"}, "b": {"condition": "service_started"}}},
    ),
    "mounts by target": (
        {"volumes": [{"type": "volume", "source": "a", "target": "/x"}, {"type": "volume", "target": "/y"}]},
        {"volumes": ["${A:-./a}:/x:ro", "/z"]},
        {"volumes": ["${A:-./a}:/x:ro", {"type": "volume", "target": "/y"}, "/z"]},
    ),
    "folders in memory": (
        {"tmpfs": ["/tmp:size=64m"]},
        {"tmpfs": "/tmp:size=1g"},
        {"tmpfs": ["/tmp:size=1g"]},
    ),
    "another driver of logs": (
        {"logging": {"driver": "json-file", "options": {"a": "b"}}},
        {"logging": {"driver": "journald"}},
        {"logging": {"driver": "journald"}},
    ),
    "hosts": (
        {"extra_hosts": ["a:1", "b:2"]},
        {"extra_hosts": {"b": None, "c": ["3", "4"]}},
        {"extra_hosts": ["a:1", "c:3", "c:4"]},
    ),
    "a folder to build": (
        {"build": {"context": "a", "target": "b"}},
        {"build": "c"},
        {"build": {"context": "c", "target": "b"}},
    ),
    "build arguments": (
        {"build": {"args": {"A": "a"}}},
        {"build": {"args": ["B=b"]}},
        {"build": {"args": {"A": "a", "B": "b"}}},
    ),
}


@pytest.mark.parametrize(("base", "over", "merged"), MERGED.values(), ids=MERGED)
def test_the_rules_are_those_of_compose(base: Any, over: Any, merged: Any) -> None:
    assert laid_over(base, over) == merged


def test_a_null_in_a_mapping_by_names_removes_something() -> None:
    with pytest.raises(NoRemovalError) as caught:
        laid_over({"environment": {"A": "a"}}, {"environment": {"B": None}})
    assert caught.value.path == ("environment", "B")


REFUSED = {
    "cpu_share: 1": 'cpu_share: is not a key of Compose; did you mean "cpu_shares"?',
    "oom_score_adj: [1]": "oom_score_adj: Compose takes text or a whole number here, found a list",
    "healthcheck: {retries: {}}": "healthcheck.retries: Compose takes a number or text here, found a mapping",
    "ulimits: {nofile: {soft: 1}}": 'ulimits.nofile: needs "hard"',
    "command: {a: b}": "command: Compose takes text or a list here, found a mapping",
    "build: {ars: {}}": 'build.ars: is not a key of Compose; did you mean "args"?',
    "volumes: [{target: /x}]": 'volumes[0]: needs "type"',
    "gpus: some": 'gpus: "some" is not allowed here; known: all',
    "develop: {}": "develop: is not supported: only docker compose watch reads it; see mount_sources of environments",
    "image: other": "image: cannot be changed here; write the catalog's own key image",
    "deploy: {replicas: 2}": "deploy.replicas: cannot be changed here; write the catalog's own key replicas",
    "networks: {nope: null}": "networks.nope: is null, which removes it, but it is not generated; write {} for an "
    "entry without settings, or a list",
    "environment: {DB_PASSWORD: hunter2}": 'environment.DB_PASSWORD: "DB_PASSWORD" looks like a secret that is written '
    "out; write ${NAME} in place of the value, or list the name under not_secret",
    'command: ["a", "--token=hunter2hunter2"]': 'command[1]: "token" looks like a secret that is written out; write '
    "${NAME} in place of the value, or list the name under not_secret",
    'labels: ["a=postgres://u:hunter2@db/x"]': "labels[0]: a URL cannot hold a password; write ${NAME} in its place",
    "mem_swappiness: .inf": None,
}


@pytest.mark.parametrize(("key", "line"), REFUSED.items(), ids=REFUSED)
def test_what_is_wrong_has_a_place_and_says_what_is_right(key: str, line: str | None, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"project: shop\nservices:\n  web:\n    image: w:1\n    compose:\n      {key}\n")
    [found] = all_mistakes(str(file))
    assert "hunter2" not in found
    if line is None:
        expected = "5:5: services.web.compose: Compose has no such number; write it in quotes if it is text"
    else:
        assert found.split(":")[1] == "6"
        expected = f"services.web.compose.{line}"
    assert found.endswith(expected)


WHOLE = {
    "name: a": "compose.name: cannot be changed here; write the catalog's own key project",
    "foo: 1": "compose.foo: is not a key of Compose; known: version, name, include, services, models, networks, "
    "volumes, secrets, configs, jobs",
    "services: {wbe: {}}": 'compose.services.wbe: is no service of the generated file; did you mean "web"?; write '
    "new ones below services",
    "services: {web: null}": "compose.services.web: cannot be removed here; remove it from the catalog",
    "services: {web: {image: a}}": "services.web.image: cannot be changed here; write the catalog's own key image",
    "volumes: {a b: {}}": 'volumes."a b": is not a name that Compose takes; it must match ^[a-zA-Z0-9._-]+$',
    "volumes: null": "compose.volumes: is null; name what to remove in it, such as {NAME: null}",
    "x-container: {}": "compose.x-container: is a block that is generated; use another name",
    "[a]": "compose: expected a mapping of Compose's keys, found a list",
}


@pytest.mark.parametrize(("keys", "line"), WHOLE.items(), ids=WHOLE)
def test_so_it_is_in_the_whole(keys: str, line: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    inner = keys if keys.startswith("[") else f"{{{keys}}}"
    file.write_text(f"project: shop\nservices: {{web: {{image: w:1}}}}\ncompose: {inner}\n")
    [found] = all_mistakes(str(file))
    assert found.endswith(line)


def test_names_that_are_no_secrets_are_accepted(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        "project: shop\nnot_secret: [API_TOKEN]\n"
        "services: {web: {image: 'w:1', compose: {environment: {API_TOKEN: public, PASSWORD: '${PASSWORD}'}}}}\n"
    )
    assert warned(str(file)) == []


def test_a_file_that_does_not_follow_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        "project: shop\nkubernetes: {namespace: a}\n"
        "services: {web: {image: 'w:1', compose: {cpu_shares: 5}}}\ncompose: {secrets: {a: {file: ./a}}}\n"
    )
    assert [line.split(": ", 1)[1] for line in warned(str(file))] == [
        "services.web.compose: applies to the Compose file only; files for Kubernetes do not follow it",
        "compose: applies to the Compose file only; files for Kubernetes do not follow it",
        "compose.secrets: is not in compose.secrets.swarm.yaml, which a Swarm reads in place of these secrets",
    ]


def test_an_environment_overrides_it(tmp_path: Path) -> None:
    text = (
        "project: shop\nservices: {web: {image: 'w:1', compose: {cpu_shares: 5, tty: true}}}\n"
        "environments: {a: {services: {web: {compose: {cpu_shares: 6, tty: null}}}}}\n"
    )
    web = compose_of(catalog_of(tmp_path, text, "a"))["services"]["web"]
    assert web["cpu_shares"] == 6
    assert "tty" not in web


def test_a_network_of_the_catalog(tmp_path: Path) -> None:
    text = (
        "project: shop\nservices: {web: {image: 'w:1', networks: [back]}}\n"
        "networks: {back: {driver: bridge, labels: {a: b}, compose: {enable_ipv4: false, labels: [a=c]}}}\n"
    )
    assert compose_of(catalog_of(tmp_path, text))["networks"]["back"] == {
        "name": "shop-default_back",
        "driver": "bridge",
        "labels": {"a": "c"},
        "enable_ipv4": False,
    }
