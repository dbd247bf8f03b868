"""What a container may do: strictly little where its image is ours, what its entry point needs where it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exporter.catalog.reading.problems import CatalogError
from exporter.outputs.compose import render
from tests.outputs.catalogs import catalog_of
from tests.outputs.compose_files import assert_valid, compose_of, docker_compose, written

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = "65532:65532"
NO_NEW = {"security_opt": ["no-new-privileges:true"]}
ENTRY_POINTS = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "NET_BIND_SERVICE", "SETGID", "SETUID"]
STRICT = {"user": NOBODY, "read_only": True, "cap_drop": ["ALL"], **NO_NEW}
RECIPE = {"init": True}
IMAGE = {"cap_drop": ["ALL"], "cap_add": ENTRY_POINTS, **NO_NEW}
TMP = {"tmpfs": ["/tmp:size=64m,mode=1777,uid=65532,gid=65532"]}
KEYS = ("init", "user", "read_only", "cap_drop", "cap_add", "security_opt", "tmpfs", "volumes")

SERVICES = {
    "a recipe": ("build: {runtime: python}, port: 80", RECIPE | STRICT | TMP),
    "an image": ("image: 'a:1'", IMAGE),
    "a Dockerfile": ("build: .", IMAGE),
    "an image made strict": ("image: 'a:1', hardening: strict", STRICT | TMP),
    "a recipe as others": ("build: {runtime: python}, port: 80, hardening: image", RECIPE | IMAGE),
    "off": ("image: 'a:1', hardening: off", {}),
    "off, as YAML 1.1 reads it": ("image: 'a:1', hardening: 'off'", {}),
    "off with one more": (
        "image: 'a:1', hardening: off, capabilities: NET_ADMIN",
        {"cap_add": ["NET_ADMIN"]},
    ),
    "strict with one more": (
        "image: 'a:1', hardening: strict, capabilities: [NET_RAW]",
        STRICT | TMP | {"cap_add": ["NET_RAW"]},
    ),
    "an image with more": (
        "image: 'a:1', capabilities: [CHOWN, NET_ADMIN]",
        IMAGE | {"cap_add": [*ENTRY_POINTS, "NET_ADMIN"]},
    ),
    "a user of its own": ("image: 'a:1', user: '1000'", IMAGE | {"user": "1000"}),
    "read-only as well": (
        "image: 'a:1', read_only: true",
        IMAGE | {"read_only": True, "tmpfs": ["/tmp:size=64m,mode=1777"]},
    ),
    "strict and writable": (
        "image: 'a:1', hardening: strict, read_only: false",
        STRICT | {"read_only": False},
    ),
    "a folder besides /tmp": (
        "image: 'a:1', hardening: strict, writable: /cache",
        STRICT | {"tmpfs": [*TMP["tmpfs"], "/cache:size=64m,mode=1777,uid=65532,gid=65532"]},
    ),
    "/tmp named": ("image: 'a:1', hardening: strict, writable: [/tmp]", STRICT | TMP),
    "a folder of an image": ("image: 'a:1', writable: /c", IMAGE | {"tmpfs": ["/c:size=64m,mode=1777"]}),
    "/tmp is a volume": (
        "image: 'a:1', read_only: true, volumes: ['./t:/tmp']",
        IMAGE | {"read_only": True, "volumes": [{"type": "bind", "source": "../../t", "target": "/tmp"}]},
    ),
}


def hardening_of(text: str, folder: Path) -> dict[str, Any]:
    service = compose_of(catalog_of(folder, f"project: shop\nservices: {{a: {{{text}}}}}\n"))["services"]["a"]
    return {key: service[key] for key in KEYS if key in service}


@pytest.mark.parametrize("case", SERVICES)
def test_services(case: str, tmp_path: Path) -> None:
    text, expected = SERVICES[case]
    assert hardening_of(text, tmp_path) == expected


STORES: dict[str, tuple[str, dict[str, Any]]] = {
    "strict": (
        "",
        {
            **STRICT,
            "user": "postgres",
            "tmpfs": ["/tmp:size=64m,mode=1777", "/run/postgresql:size=64m,mode=1777"],
        },
    ),
    "as the image says": ("hardening: image", IMAGE),
    "off": ("hardening: off, capabilities: SYS_NICE", {"cap_add": ["SYS_NICE"]}),
}


@pytest.mark.parametrize("case", STORES)
def test_stores(case: str, tmp_path: Path) -> None:
    text, expected = STORES[case]
    text = f"project: shop\nservices: {{}}\nstores: {{db: {{engine: postgresql, {text}}}}}\n"
    store = compose_of(catalog_of(tmp_path, text))["services"]["db"]
    assert {key: store[key] for key in KEYS if key in store and key != "volumes"} == expected


def test_both_versions_of_compose_take_it(tmp_path: Path) -> None:
    services = "\n".join(f"  s{number}: {{{text}}}" for number, (text, _) in enumerate(SERVICES.values()))
    catalog = catalog_of(tmp_path, f"project: shop\nservices:\n{services}\n")
    folder = written(render, catalog, tmp_path)
    assert_valid(folder)
    loaded = docker_compose(folder, "config", TAG="1")["services"]
    assert loaded["s1"]["cap_add"] == ENTRY_POINTS
    assert "cap_drop" not in loaded["s5"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hardening: none", "services.a.hardening"),
        ("capabilities: [CAP_CHOWN]", "services.a.capabilities[0]"),
        ("capabilities: NET_ADMINN", "NET_ADMIN"),
    ],
)
def test_mistakes(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(CatalogError) as caught:
        hardening_of(f"image: 'a:1', {text}", tmp_path)
    assert sentence in str(caught.value)


MOUNTED = {
    "a recipe of Python": ("{context: ., runtime: python}", True),
    "pages": ("{context: ., runtime: node}", False),
    "a Dockerfile": (".", False),
}


@pytest.mark.parametrize("case", MOUNTED)
def test_sources_are_mounted_where_a_recipe_put_them(case: str, tmp_path: Path) -> None:
    build, mounted = MOUNTED[case]
    text = (
        f"project: shop\nservices: {{a: {{build: {build}, port: 80}}}}\n"
        "environments: {development: {mount_sources: true}}\n"
    )
    service = compose_of(catalog_of(tmp_path, text))["services"]["a"]
    source = {"type": "bind", "source": "../..", "target": "/app"}
    assert (source in service.get("volumes", [])) is mounted
