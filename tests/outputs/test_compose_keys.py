"""Keys that have Compose's name: both versions of Compose read them from the generated file as they are meant."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.catalog.loading import load_plan
from exporter.outputs.base import OutputError
from exporter.outputs.compose import render
from tests.components import compose_2, require
from tests.outputs.catalogs import catalog_of
from tests.outputs.compose_files import TIMEOUT, assert_valid, compose_of, written
from tests.outputs.every_key import EVERY_KEY, ONLY_COMPOSE_2

if TYPE_CHECKING:
    from pathlib import Path

GIVEN = {"SET": "said", "ANYWHERE": "/somewhere", "LEVEL": "debug", "FROM.SHELL": "here"}


def resolved(program: str, folder: Path) -> dict[str, Any]:
    command = [program, "-p", "test", "-f", str(folder / "compose.yaml"), "config"]
    own = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", timeout=TIMEOUT, env=own | GIVEN, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(yaml.safe_load(done.stdout)["services"])


def generated(text: str, root: Path) -> Path:
    folder = written(render, catalog_of(root, text), root)
    for name in ("web.env", "a.env", "b.env"):
        (root / name).write_text(f"FROM_{name[0].upper()}=1\n", encoding="utf-8")
    return folder


def test_both_versions_of_compose_take_every_key(tmp_path: Path) -> None:
    folder = generated(EVERY_KEY, tmp_path)
    assert_valid(folder)
    for program in (require("docker-compose"), compose_2()):
        services = resolved(program, folder)
        web, worker, db = services["Web_1.x"], services["worker"], services["db"]
        assert web["image"] == "ghcr.io/shop/web:1.2"
        assert web["environment"] == {
            "PLAIN": "a=b",
            "FROM.SHELL": "here",
            "WITH-DASH": "debug",
            "MESSAGE": "said",
            "FROM_W": "1",
        }
        assert web["healthcheck"]["test"] == ["CMD-SHELL", "curl -f http://localhost:8080/ || exit 1"]
        assert web["networks"]["front"] == {"aliases": ["www", "shop"], "ipv4_address": "172.30.0.10"}
        assert web["labels"] == {"traefik.enable": "true", "alone": ""}
        assert web["cap_drop"][-1] == "MKNOD"
        assert web["logging"]["driver"] == "syslog"
        assert {mount["target"]: mount.get("source") for mount in web["volumes"] if isinstance(mount, dict)}[
            "/library"
        ] == str(tmp_path / "library")
        assert worker["environment"] == {"ENABLED": "true", "EMPTY": "", "N": "1"}
        assert services["quiet"]["healthcheck"] in ({"disable": True}, {"test": ["NONE"]})
        assert services["sidecar"]["network_mode"] == "service:worker"
        assert "networks" not in services["sidecar"]
        assert db["user"] == "1000:1000"
        assert services["cache.1"]["container_name"] == "cache"
    # Version 1 lists services of a profile, version 2 does not start or list them.
    assert "seed" not in services


def test_what_only_compose_2_has(tmp_path: Path) -> None:
    folder = generated(ONLY_COMPOSE_2, tmp_path)
    assert_valid(folder)
    web = resolved(compose_2(), folder)["web"]
    assert web["environment"]["EXTRA"] == ""
    assert web["depends_on"]["other"]["restart"] is True
    assert web["healthcheck"]["start_interval"] == "1s"
    assert {config["target"] for config in web["configs"]} == {"/motd", "/level"}


PORTS = {
    "80": "80",
    "8080:80": "8080:80",
    "127.0.0.1:8080-8082:80-82/udp": "127.0.0.1:8080-8082:80-82/udp",
    "127.0.0.1::80": "127.0.0.1::80",
    "[::1]:8443:443": "[::1]:8443:443",
    "${IP:-127.0.0.1}:${PORT:-80}:80": "${IP:-127.0.0.1}:${PORT:-80}:80",
    "${PUBLISHED}": "${PUBLISHED:?set it in .env or in the environment}",
    "8000-8010:80": "8000-8010:80",
}


@pytest.mark.parametrize(("text", "output"), PORTS.items(), ids=PORTS)
def test_ports_keep_their_meaning(text: str, output: str, tmp_path: Path) -> None:
    catalog = catalog_of(
        tmp_path,
        f"project: x\nservices: {{a: {{image: 'a:1', ports: ['{text}']}}}}\nenvironments: {{p: {{}}}}\n",
    )
    assert compose_of(catalog)["services"]["a"]["ports"] == [output]


MOUNTS = {
    "./a:/a": {"type": "bind", "source": "../../a", "target": "/a"},
    "./a:/a:ro": {"type": "bind", "source": "../../a", "target": "/a", "read_only": True},
    "./a:/a:Z": "../../a:/a:Z",
    "${D:-./a}/b:/a": {"type": "bind", "source": "${D:-../../a}/b", "target": "/a"},
    "${D:-/srv}:/a:ro": {"type": "bind", "source": "${D:-/srv}", "target": "/a", "read_only": True},
    "./${D:-a}/b:/a": {"type": "bind", "source": "../../${D:-a}/b", "target": "/a"},
    "${V:-data}:/a": {"type": "volume", "source": "${V:-data}", "target": "/a"},
    "${D}:/a": "${D:?set it in .env or in the environment}:/a",
    "data:/a:nocopy": {"type": "volume", "source": "data", "target": "/a", "volume": {"nocopy": True}},
    "/a": {"type": "volume", "target": "/a"},
}


@pytest.mark.parametrize(("text", "output"), MOUNTS.items(), ids=MOUNTS)
def test_mounts_keep_their_meaning(text: str, output: object, tmp_path: Path) -> None:
    catalog = catalog_of(
        tmp_path, f"project: x\nservices: {{a: {{image: 'a:1', volumes: ['{text}']}}}}\nvolumes: {{data: }}\n"
    )
    assert compose_of(catalog)["services"]["a"]["volumes"] == [output]


CONDITIONS = {
    "by default, a check of the catalog": ("[b]", "healthcheck: {test: x}", "service_healthy"),
    "by default, no check": ("[b]", "", "service_started"),
    "the image may have one": ("{b: healthy}", "", "service_healthy"),
    "Compose's word": ("{b: {condition: service_healthy}}", "", "service_healthy"),
    "optional": ("{b: {condition: service_healthy, required: false}}", "", "service_started"),
}


@pytest.mark.parametrize(("depends", "check", "condition"), CONDITIONS.values(), ids=CONDITIONS)
def test_conditions_are_kept(depends: str, check: str, condition: str, tmp_path: Path) -> None:
    text = f"project: x\nservices:\n  a: {{image: 'a:1', depends_on: {depends}}}\n  b: {{image: 'b:1', {check}}}\n"
    service = compose_of(catalog_of(tmp_path, text))["services"]["a"]
    assert service["depends_on"] == {"b": {"condition": condition}}


@pytest.mark.parametrize(
    ("own", "other", "waits"),
    [("[]", "[]", True), ("[]", "[x]", False), ("[x]", "[x, y]", True), ("[x, y]", "[x]", False)],
)
def test_nothing_waits_for_what_its_profiles_do_not_start(
    own: str, other: str, waits: bool, tmp_path: Path
) -> None:
    text = (
        f"project: x\nservices:\n  a: {{image: 'a:1', profiles: {own}, depends_on: {{b: {{optional: true}}}}}}\n"
        f"  b: {{image: 'b:1', port: 80, profiles: {other}}}\ngateway: {{host: a.test, routes: {{/: b}}}}\n"
    )
    services = compose_of(catalog_of(tmp_path, text))["services"]
    assert ("depends_on" in services["a"]) == waits
    assert ("depends_on" in services["gateway"]) == (other == "[]")


REFUSED = {
    "no network in common": (
        (
            "services: {a: {image: 'a:1', networks: front, depends_on: b}, b: {image: 'b:1', networks: back}}\n"
            "networks: {front: , back: }"
        ),
        "depends on b, which is on other networks (back); put both on one of them",
    ),
    "no host for the gateway": (
        (
            "services: {a: {image: 'a:1', port: 80, address: '192.0.2.1:80', network_mode: host}}\n"
            "gateway: {host: a.test, routes: {/: a}}"
        ),
        "the gateway cannot reach a, which has network_mode host",
    ),
    "the network of another that is only watched": (
        "services: {a: {image: 'a:1', network_mode: 'service:b'}, b: {image: 'b:1', managed: off}}",
        "services.a.network_mode uses the network of b, which is not deployed here",
    ),
    "no name of an image": ("services: {a._b: {build: .}}", "its name cannot be the name of an image"),
}


@pytest.mark.parametrize(("text", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_compose_cannot_do(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught:
        list(render(catalog_of(tmp_path, f"project: x\n{text}\n")))
    assert sentence in str(caught.value)


def test_probes_use_the_network_that_a_container_has(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        "project: x\nservices:\n  My_vpn.1: {image: 'v:1', port: 80}\n"
        "  inside: {image: 'i:1', port: 81, network_mode: 'service:My_vpn.1'}\n",
        encoding="utf-8",
    )
    assert {target.target for target in load_plan(str(file)).targets} == {"My_vpn.1:80", "My_vpn.1:81"}


def test_a_laptop_is_asked_at_the_published_port(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        "project: x\nservices: {a: {image: 'a:1', port: 80, ports: ['8080-8082:79-81']}}\n"
        "environments: {laptop: {address: 'localhost:{port}'}}\n",
        encoding="utf-8",
    )
    assert [target.target for target in load_plan(str(file)).targets] == ["localhost:8081"]
