"""Keys of Compose: the table of what they are called here, held against the specification and the models."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import pytest

from exporter.catalog.catalog import Catalog
from exporter.catalog.compose.specification import FILE, SECTIONS, SHA256, keys
from exporter.catalog.compose.words import MODELS, OWNED, WORDS, Renamed
from exporter.catalog.keys.container.resources import Resources
from exporter.catalog.keys.secrets import SecretSource
from exporter.catalog.keys.services import Build, Service
from exporter.catalog.reading.from_compose import Same
from tests.catalog.doors import mistakes
from tools.from_compose_page import from_compose_page, rows

if TYPE_CHECKING:
    from exporter.catalog.base import Model
    from tests.catalog.doors import Write

HERE: dict[str, type[Model]] = {
    "top level": Catalog,
    "service": Service,
    "build": Build,
    "deploy": Service,
    "secret": SecretSource,
}
"""The model that has the keys by which a section's keys are called here."""


def test_the_schema_is_the_one_of_its_version() -> None:
    assert hashlib.sha256(FILE.read_bytes()).hexdigest() == SHA256


def test_the_table_names_keys_of_the_specification_only() -> None:
    assert set(WORDS) == set(SECTIONS)
    assert set(MODELS.values()) | {"deploy"} == set(SECTIONS)
    for table in (WORDS, OWNED):
        for section, words in table.items():
            assert set(words) <= set(keys(section)), section


def test_sections_have_the_keys_that_everyone_knows() -> None:
    known = {
        "top level": {"services", "volumes", "version"},
        "service": {"image", "ports", "healthcheck", "restart", "cap_add"},
        "build": {"context", "args", "cache_from"},
        "deploy": {"replicas", "resources"},
        "healthcheck": {"test", "disable"},
        "network": {"driver", "ipam"},
        "volume": {"driver_opts", "external"},
        "secret": {"file", "environment"},
        "config": {"content"},
    }
    for section, some in known.items():
        assert some <= set(keys(section))


def test_other_names_are_keys_of_the_catalog() -> None:
    named = [
        (section, part)
        for section, words in WORDS.items()
        for word in words.values()
        if isinstance(word, Renamed)
        for part in word.where.replace(" and ", ", ").split(", ")
    ]
    for section, where in named:
        first, _, second = where.partition(".")
        assert first in HERE[section].model_fields
        assert not second or second in Resources.model_fields


ANSWERS = {
    "cap_add: [NET_ADMIN]": "cap_add is called capabilities here",
    "mem_limit: 1g": "mem_limit is called resources.memory here",
    "cpu_shares: 5": "write cpu_shares as compose: {cpu_shares: …}",
    "links: [a]": "links is called depends_on here (containers find each other by name without it)",
    "use_api_socket: true": "use_api_socket is not supported: it gives the container full power over the host, "
    "so remove it",
    "deploy: {resources: {limits: {memory: 1g}}, placement: {}, labels: {a: b}}": "deploy.resources is called "
    "resources here (cpu, memory and processes); deploy.placement is not supported: only a Swarm reads it, so "
    "remove it; write deploy.labels as compose: {deploy: {labels: …}}",
    "deploy: 3": "deploy is called replicas, resources and restart here (see the section deploy)",
    "zzz: 3": "known: description, owner, managed, containers, image",
}


@pytest.mark.parametrize(("key", "answer"), ANSWERS.items(), ids=ANSWERS)
@pytest.mark.parametrize("section", ["services: {a: {image: a,", "stores: {a: {engine: redis,"])
def test_an_unknown_key_answers_with_what_it_is_called_here(
    section: str, key: str, answer: str, write: Write
) -> None:
    [line] = mistakes(write(f"{section} {key}}}}}"))
    assert f"unknown key; {answer}" in line


OTHERS = {
    "version: '3'": "version: unknown key; version is not supported: Compose no longer needs it, so remove it",
    "name: a": "name: unknown key; name is called project here",
    "models: {}": "models: unknown key; write models as compose: {models: …}",
    "services: {a: {build: {context: ., args: {}}}}": "services.a.build.args: unknown key; args is called "
    "arguments here",
    "services: {a: {build: {context: ., cache_from: []}}}": "services.a.build.cache_from: unknown key; write "
    "cache_from as compose: {build: {cache_from: …}} of the service",
    "secrets: {a: {environment: A}}": "secrets.a.environment: unknown key; environment is called env here",
    "environments: {a: {name: b}}": "environments.a.name: unknown key; name is called project here",
    "environments: {a: {services: {b: {image: a, init: yes, cpus: 1}}}}": "environments.a.services.b.cpus: "
    "unknown key; cpus is called resources.cpu here",
}


@pytest.mark.parametrize(("catalog", "answer"), OTHERS.items(), ids=OTHERS)
def test_so_do_other_sections(catalog: str, answer: str, write: Write) -> None:
    environment = "a" if catalog.startswith("environments") else None
    assert any(line.endswith(answer) for line in mistakes(write(catalog), environment))


def test_the_page_has_every_key_of_the_specification_once() -> None:
    page = from_compose_page()
    for section in SECTIONS:
        listed = [key for key, _ in rows(section)]
        assert listed == list(keys(section))
        assert all(f"\n| `{key}` | " in page for key in listed)
    assert not set(re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)) - {
        key for section in SECTIONS for key in keys(section)
    }


def test_what_has_the_same_name_is_a_key_of_the_catalog() -> None:
    same = {(section, key) for section in SECTIONS for key, found in rows(section) if isinstance(found, Same)}
    assert {("service", "image"), ("service", "restart"), ("volume", "external"), ("build", "target")} <= same
    assert not {("service", "scale"), ("service", "deploy"), ("top level", "name")} & same
