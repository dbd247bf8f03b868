"""`${NAME}` has the same meaning in every text of the catalog, or is an error there. It is never kept as literal
text."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any, get_args, get_origin

import pytest

from exporter.catalog.base import Model
from exporter.catalog.catalog import Catalog
from exporter.catalog.loading import CatalogError, load_catalog, load_plan
from exporter.catalog.reading.text_walk import _may_refer
from exporter.catalog.values.references import TextTemplate
from exporter.outputs.compose import render
from exporter.probes.compile import Shared, compile_probe
from tests.catalog.doors import mistakes
from tests.fuzz.catalogs import CATALOGS, at, places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.probes.base import ProbeResult
    from tests.catalog.doors import Write

SECRET = "s3cr3t /?#&%\r\nX-Injected: 1\u00fc"


def asked(path: str, send: Any = None) -> tuple[bytes, ProbeResult, str]:
    """Return the bytes of the only probe's request to a local server, its result, and the label `target`."""
    received = b""

    async def run() -> tuple[ProbeResult, str]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal received
            received = await reader.readuntil(b"\r\n\r\n")
            asked_for = received.split(b" ")[1]
            writer.write(send(asked_for) if send else b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        file = f"project: shop\nservices: {{web: {{port: {port}, address: '127.0.0.1:{{port}}', {path}}}}}\n"
        with open("config.yaml", "w", encoding="utf-8") as stream:  # noqa: PTH123, ASYNC230 - a file of the test
            stream.write(file.replace("PORT", str(port)))
        [target] = load_plan("config.yaml").targets
        async with server:
            result = await compile_probe(target.spec, Shared()).run(time.monotonic() + 5)
        return result, target.target.replace(str(port), "PORT")

    result, label = asyncio.run(run())
    return received, result, label


@pytest.mark.parametrize(
    ("keys", "line", "target"),
    [
        ("health: '/x?token=${KEY}&a=b'", "/x?token=VALUE&a=b", "http://127.0.0.1:PORT/x?token=${KEY}&a=b"),
        ("health: '/${KEY}/x'", "/VALUE/x", "http://127.0.0.1:PORT/${KEY}/x"),
        (
            "health: 'http://127.0.0.1:PORT/${KEY:?set it}?a=${NOT_SET:-b c}'",
            "/VALUE?a=b%20c",
            "http://127.0.0.1:PORT/${KEY}?a=${NOT_SET}",
        ),
        ("health: 'http://127.0.0.1:PORT?a=${KEY}'", "/?a=VALUE", "http://127.0.0.1:PORT?a=${KEY}"),
        ("health: '/$${KEY}'", "/$%7BKEY%7D", "http://127.0.0.1:PORT/${KEY}"),
        ("probes: [{name: a, websocket: '/x?k=${KEY}'}]", "/x?k=VALUE", "ws://127.0.0.1:PORT/x?k=${KEY}"),
    ],
)
def test_references_in_urls_are_data_in_their_place(
    keys: str, line: str, target: str, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("")
    monkeypatch.setenv("KEY", SECRET)
    received, result, label = asked(keys)
    encoded = "s3cr3t%20%2F%3F%23%26%25%0D%0AX-Injected%3A%201%C3%BC"
    assert received.split(b"\r\n")[0].decode() == f"GET {line.replace('VALUE', encoded)} HTTP/1.1"
    assert b"\nX-Injected" not in received
    assert label == target
    assert "s3cr3t" not in result.detail


def test_a_user_name_may_be_a_reference(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("")
    monkeypatch.setenv("USER_NAME", "shop")
    monkeypatch.setenv("KEY", "pass")
    keys = "health: {basic_auth: {username: '${USER_NAME}', password: '${KEY}'}}"
    received, result, _ = asked(keys)
    assert result.success
    assert b"Authorization: Basic c2hvcDpwYXNz\r\n" in received


def test_no_detail_has_the_value(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("")
    monkeypatch.setenv("KEY", "s3cr3t/value")

    def loop(path: bytes) -> bytes:
        return b"HTTP/1.1 302 Found\r\nLocation: " + path + b"\r\nContent-Length: 0\r\n\r\n"

    _, result, _ = asked("health: '/x?token=${KEY}'", loop)
    assert result.reason == "redirect"
    assert "s3cr3t" not in result.detail


def test_a_variable_that_is_not_set_is_found_at_the_start(write: Write) -> None:
    path = write("services: {web: {port: 80, health: '/x?token=${NOT_SET:?ask the shop team}'}}\n")
    assert mistakes(path) == [
        "config.yaml:2:28: services.web.health: environment variable NOT_SET is not set: ask the shop team"
    ]


@pytest.mark.parametrize(
    "url",
    ["http://${H}/x", "${U}", "${U}/x", "http://h${H}/", "http://h:${P}/", "${S}://h/", "http://${A:-b/c}/x"],
)
def test_no_value_chooses_who_is_asked(url: str, write: Write) -> None:
    [line] = mistakes(write(f"services: {{web: {{port: 80, health: {{url: '{url}'}}}}}}\n"))
    assert "services.web.health.url: " in line


def every_model(model: type[Model], known: set[type[Model]]) -> set[type[Model]]:
    """Yield the model and all models that can be inside it."""
    if model not in known:
        known.add(model)
        for field in model.model_fields.values():
            for inner in inner_types(field.annotation):
                every_model(inner, known)
    return known


def inner_types(annotation: object) -> Iterator[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    elif get_origin(annotation) is not None:
        for inner in get_args(annotation):
            yield from inner_types(inner)


def test_which_texts_stay_texts_and_may_refer() -> None:
    """Pin the list of plain texts and of texts that may contain references. A new text that may must resolve them."""
    found = {
        f"{model.__name__}.{name}" for model in every_model(Catalog, set()) for name in _may_refer(model)
    }
    shared = {
        "cap_drop", "command", "compose", "container_name", "devices", "entrypoint", "expose", "extra_hosts",
        "group_add", "hostname", "image", "labels", "platform", "security_opt", "stop_signal", "sysctls", "tmpfs",
        "working_dir",
    }  # fmt: skip
    passed = {"Catalog.compose", "Network.compose", "Volume.compose"}
    everywhere = {f"{model}.{name}" for model in ("Service", "Store") for name in shared}
    assert found - everywhere - passed == {
        "Attachment.aliases", "Attachment.driver_opts", "Attachment.interface_name", "Attachment.ipv4_address",
        "Attachment.ipv6_address", "Attachment.link_local_ips", "Attachment.mac_address", "Build.arguments",
        "Catalog.registry", "Config.content", "Config.file", "ConfigFile.target", "EnvFile.path",
        "Exporter.image", "Gateway.image", "Gpus.capabilities", "Gpus.device_ids", "Gpus.driver",
        "Gpus.options", "Health.path", "Health.url", "HealthCheck.test", "HttpProbe.path", "HttpProbe.url",
        "Ipam.driver", "Ipam.options", "LogDriver.driver", "LogDriver.options", "Mount.source", "Mount.target",
        "Network.driver", "Network.driver_opts", "Network.labels", "Network.name", "PublishedPort.app_protocol",
        "PublishedPort.host_ip", "PublishedPort.name", "PublishedPort.published", "PublishedPort.target",
        "Range.aux_addresses", "Range.gateway", "Range.ip_range", "Range.subnet", "Service.user", "Store.user",
        "Store.volume", "Volume.driver", "Volume.driver_opts", "Volume.labels", "Volume.name",
        "VolumeOptions.subpath", "WebSocketProbe.path", "WebSocketProbe.url",
    }  # fmt: skip
    assert everywhere <= found


def texts(data: Any) -> list[tuple[str | int, ...]]:
    return [path for path in places(data) if isinstance(at(data, path), str)]


@pytest.mark.parametrize("path", texts(CATALOGS[0]), ids=lambda path: ".".join(map(str, path)))
def test_every_text_with_a_reference_is_a_template_or_an_error(
    path: tuple[str | int, ...], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Add a reference to the end of each text in turn, in a catalog with every key."""
    monkeypatch.chdir(tmp_path)
    data = json.loads(json.dumps(CATALOGS[0]))
    parent = at(data, path[:-1])
    parent[path[-1]] += "${MARKER}"
    (tmp_path / "config.yaml").write_text(json.dumps(data), encoding="utf-8")
    environment = str(path[1]) if path[0] == "environments" else None
    try:
        catalog = load_catalog("config.yaml", environment)
    except CatalogError:
        return
    assert not list(left_over(catalog)), "a text contains the unresolved reference"


def left_over(value: object) -> Iterator[object]:
    """Return texts that contain the marker and are neither templates nor resolved later."""
    if isinstance(value, TextTemplate):
        return
    if isinstance(value, Model):
        for name in set(type(value).model_fields) - _may_refer(type(value)):
            yield from left_over(getattr(value, name))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from left_over(key)
            yield from left_over(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from left_over(item)
    elif isinstance(value, str) and "MARKER" in value:
        yield value


def test_compose_fills_in_what_it_reads(write: Write) -> None:
    path = write(
        """
        registry: ghcr.io/${ORG:-shop}
        services:
          web:
            image: "${IMAGE:?which image}"
            port: 80
            user: "${UID:-1000}:1"
            command: ["--level=${LEVEL-info}", "$${x}", "$HOME"]
            labels: {a: "${LABEL}"}
            environment: {A: "${A:-b}", B: "x${B}"}
          tagged: {image: "${REGISTRY}/a:${VERSION}", port: 81}
          bare: {image: "${REGISTRY}/a", port: 82}
          built: {build: {context: ., arguments: {A: "${A}"}}, port: 83}
        """
    )
    [text] = [file.text for file in render(load_catalog(path)) if file.path == "compose.yaml"]
    hint = "set it in .env or in the environment"
    for line in (
        'image: "${IMAGE:?which image}"',
        'user: "${UID:-1000}:1"',
        'command: ["--level=${LEVEL-info}", "$${x}", "$$HOME"]',
        f'a: "${{LABEL:?{hint}}}"',
        'A: "${A:-b}"',
        f'B: "x${{B:?{hint}}}"',
        f'image: "${{REGISTRY:?{hint}}}/a:${{VERSION:?{hint}}}"',
        'image: "ghcr.io/${ORG:-shop}/built:${TAG:?',
        f'A: "${{A:?{hint}}}"',
    ):
        assert line in text, line
    assert f'image: "${{REGISTRY:?{hint}}}/a:${{BARE_TAG:?services.bare.image has no tag' in text


@pytest.mark.parametrize(
    ("keys", "read"),
    [
        ("description: 'a $${b} c'", lambda web: web.description),
        ("runbook: 'a $${b} c'", lambda web: web.runbook),
        ("probes: [{name: p, http: {body: 'a $${b} c'}}]", lambda web: web.probes[0].http.body.contains[0]),
        (
            "probes: [{name: p, http: {body: ['x', 'a $${b} c']}}]",
            lambda web: web.probes[0].http.body.contains[1],
        ),
        (
            "probes: [{name: p, http: {json: {path: $.a, equals: [{'k': 'a $${b} c'}]}}}]",
            lambda web: web.probes[0].http.json_conditions[0].equals[0]["k"],
        ),
        ("logs: {patterns: {x: 'a $${b} c'}}", lambda web: web.logs.patterns["x"]),
        ("writable: 'a $${b} c'", lambda web: web.writable[0]),
    ],
)
def test_a_text_that_cannot_refer_can_hold_the_characters(
    keys: str, read: Callable[[Any], str], write: Write
) -> None:
    start = "services: {web: {image: 'nginx:1', port: 80, "
    path = write(f"{start}{keys}}}}}\n")
    assert read(load_catalog(path).services["web"]) == "a ${b} c"
    [mistake] = mistakes(write(f"{start}{keys.replace('$${', '${')}}}}}\n"))
    assert "${ begins a reference, which is not allowed here; write the value itself, or $${ for" in mistake
