"""Short and long forms as small types."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.imports.compose.forms.base import FormError
from exporter.imports.compose.forms.commands import Command, Healthcheck, command, healthcheck
from exporter.imports.compose.forms.dependencies import dependencies
from exporter.imports.compose.forms.grants import config_grants, env_files, secret_grants
from exporter.imports.compose.forms.limits import Amount, devices, gpus, resources, ulimits
from exporter.imports.compose.forms.mounts import BIND, TMPFS, UNKNOWN, VOLUME, mounts, tmpfs
from exporter.imports.compose.forms.networks import extra_hosts
from exporter.imports.compose.forms.pairs import pairs
from exporter.imports.compose.forms.ports import Port, exposed, ports, single
from exporter.imports.compose.forms.resources import file_resource, resource
from exporter.imports.compose.forms.service import Service, service
from exporter.imports.compose.forms.units import seconds, size_bytes

PORTS: dict[Any, list[tuple[str, str, str, str, bool]]] = {
    80: [("", "", "80", "tcp", True)],
    "80": [("", "", "80", "tcp", True)],
    "8080:80": [("", "8080", "80", "tcp", True)],
    "53:53/udp": [("", "53", "53", "udp", True)],
    "127.0.0.1:8080:80": [("127.0.0.1", "8080", "80", "tcp", True)],
    "127.0.0.1::80": [("127.0.0.1", "", "80", "tcp", True)],
    "[::1]:8080:80": [("::1", "8080", "80", "tcp", True)],
    "::1:8080:80": [("::1", "8080", "80", "tcp", True)],
    "3000-3001": [("", "", "3000", "tcp", True), ("", "", "3001", "tcp", True)],
    "9000-9001:80-81/sctp": [("", "9000", "80", "sctp", True), ("", "9001", "81", "sctp", True)],
    "8000-8010:80": [("", "8000-8010", "80", "tcp", True)],
    "${PORTS}": [("", "", "", "tcp", False)],
    "${PORT:-8080}": [("", "", "${PORT:-8080}", "tcp", True)],
    "${PORTS:-127.0.0.1:8080:80/udp}": [("127.0.0.1", "8080", "80", "udp", False)],
    "${PORTS:-nonsense}": [("", "", "", "tcp", False)],
    "${PORT:-8080}:80": [("", "${PORT:-8080}", "80", "tcp", True)],
    "${PORT}:80": [("", "${PORT}", "80", "tcp", False)],
    "${BIND:-127.0.0.1:8080}:80": [("127.0.0.1", "8080", "80", "tcp", False)],
    "${IP:-0.0.0.0}:${PORT:-80}:${IN:-80}/udp": [("${IP:-0.0.0.0}", "${PORT:-80}", "${IN:-80}", "udp", True)],
    "${IP}:8000-8001:80-81": [("${IP}", "8000", "80", "tcp", True), ("${IP}", "8001", "81", "tcp", True)],
}

WRONG_PORTS = {
    "8000-8002:80-81": "3 ports of the host (8000-8002) do not fit 2 ports of the container (80-81)",
    "8080:80-81": "1 ports of the host (8080) do not fit 2 ports of the container (80-81)",
    "9-8": '"9-8" is not a port',
    "70000:80": '"70000" is not a port',
    "web:80": '"web" is not a port',
    "8080:": "does not name a port of the container",
    "": "does not name a port of the container",
    "0": "does not name a port of the container",
    "1.2.3:80:80": '"1.2.3" is not an IP address',
    "80/http": '"http" is not a protocol',
}

VOLUMES = ("data", "named")
MOUNTS = {
    "/anonymous": (VOLUME, "", "/anonymous", False),
    "data:/x/": (VOLUME, "data", "/x", False),
    "./d:/x:ro": (BIND, "./d", "/x", True),
    "/d:/x:ro,Z": (BIND, "/d", "/x", True),
    "~/d:/x": (BIND, "~/d", "/x", False),
    "C:\\d:/x": (BIND, "C:\\d", "/x", False),
    "${LOC:-./d}:/x": (BIND, "${LOC:-./d}", "/x", False),
    "${LOC:-data}:/x": (VOLUME, "${LOC:-data}", "/x", False),
    "${LOC:-other}:/x": (VOLUME, "${LOC:-other}", "/x", False),
    "${LOC}/sub:/x": (BIND, "${LOC}/sub", "/x", False),
    "${LOC}:/x": (UNKNOWN, "${LOC}", "/x", False),
    "./${LOC}:${TO:-/x}": (BIND, "./${LOC}", "${TO:-/x}", False),
    "${MOUNT}": (UNKNOWN, "", "", False),
    "${MOUNT:-/anonymous}": (VOLUME, "", "${MOUNT:-/anonymous}", False),
}


@pytest.mark.parametrize("entry", PORTS)
def test_ports(entry: Any) -> None:
    found = [
        (port.host_ip, port.published, port.target, port.protocol, port.certain)
        for written in ports([entry])
        for port in single(written)
    ]
    assert found == PORTS[entry]


@pytest.mark.parametrize("entry", WRONG_PORTS)
def test_ports_that_do_not_fit(entry: str) -> None:
    with pytest.raises(FormError) as caught:
        ports(["80", entry])
    assert WRONG_PORTS[entry] in caught.value.sentence
    assert caught.value.path == (1,)


def test_long_ports_and_numbers() -> None:
    (port,) = ports(
        [{"target": 80, "published": "${P:-81}", "host_ip": "::1", "protocol": "udp", "name": "web"}]
    )
    assert (port.number, port.published_number, port.host_ip, port.name) == (80, 81, "::1", "web")
    assert exposed([80, "81/udp"]) == (Port("80", (0,), "80"), Port("81/udp", (1,), "81", protocol="udp"))
    with pytest.raises(FormError, match="target is missing"):
        ports([{"published": 80}])


@pytest.mark.parametrize("entry", MOUNTS)
def test_mounts(entry: str) -> None:
    (mount,) = mounts([entry], VOLUMES)
    assert (mount.kind, mount.source, mount.target, mount.read_only) == MOUNTS[entry]
    assert mount.raw == entry


def test_other_mounts() -> None:
    long = {"type": "tmpfs", "target": "/t", "read_only": "${RO:-true}", "tmpfs": {"size": 1}}
    (mount,) = mounts([long])
    assert (mount.kind, mount.target, mount.read_only, mount.rest) == (
        TMPFS,
        "/t",
        "${RO:-true}",
        {"tmpfs": {"size": 1}},
    )
    assert [entry.options for entry in tmpfs(["/run:size=1m,mode=1777", "/tmp"])] == [
        ("size=1m", "mode=1777"),
        (),
    ]
    wrong: tuple[Any, ...] = ("data:", ":/b", "data:/b:ro:c", {"target": "/x"}, [[]])
    for entry in wrong:
        with pytest.raises(FormError):
            mounts([entry])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"A": 1.1, "B": None, "C": "", "D": True}, [("A", "1.1"), ("B", None), ("C", ""), ("D", "true")]),
        (["A=1", "B", "C=", "D=a=b", "A=2"], [("A", "2"), ("B", None), ("C", ""), ("D", "a=b")]),
        (None, []),
        ("A=1", [("A", "1")]),
    ],
)
def test_pairs(value: Any, expected: list[tuple[str, str | None]]) -> None:
    assert [(pair.name, pair.value) for pair in pairs(value)] == expected


@pytest.mark.parametrize("value", [["A =1"], {"A": [1]}, {"A": {}}, [["A"]], 5])
def test_what_is_no_pair(value: Any) -> None:
    with pytest.raises(FormError):
        pairs(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ([], Command(())),
        ("", Command((), "")),
        (["a b", 1], Command(("a b", "1"))),
        ("run && more", Command(("run",), "run && more", "&& more")),
        ("run ${X:-a; b} c", Command(("run", "${X:-a; b}", "c"), "run ${X:-a; b} c")),
        ("run '${A} ${B:-x y}'z", Command(("run", "${A} ${B:-x y}z"), "run '${A} ${B:-x y}'z")),
    ],
)
def test_commands(value: Any, expected: Command | None) -> None:
    assert command(value) == expected


@pytest.mark.parametrize("value", ["a 'b", 'a "b', "a\\", "a (b)", "a )", "echo `b", {"a": 1}])
def test_commands_that_compose_refuses(value: Any) -> None:
    with pytest.raises(FormError):
        command(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ({"test": "curl x || exit 1"}, Healthcheck(("curl x || exit 1",), by_shell=True)),
        ({"test": ["CMD-SHELL", "a b"]}, Healthcheck(("a b",), by_shell=True)),
        ({"test": ["CMD", "a", "b"], "interval": "1m30s"}, Healthcheck(("a", "b"), interval="1m30s")),
        ({"test": ["NONE"]}, Healthcheck(disabled=True)),
        ({"disable": True, "retries": 3}, Healthcheck(disabled=True, retries="3")),
        ({"interval": "${I:-10s}"}, Healthcheck(interval="${I:-10s}")),
    ],
)
def test_health_checks(value: Any, expected: Healthcheck | None) -> None:
    assert healthcheck(value) == expected


@pytest.mark.parametrize(
    "value", [{"test": ["curl", "x"]}, {"interval": "soon"}, {"test": {}}, [], {"disable": "maybe"}]
)
def test_what_is_no_health_check(value: Any) -> None:
    with pytest.raises(FormError):
        healthcheck(value)


def test_dependencies() -> None:
    short, long = (
        dependencies(["db"]),
        dependencies({"db": {"condition": "service_healthy", "required": False}, "x": None}),
    )
    assert [(found.service, found.condition) for found in short] == [("db", "service_started")]
    assert [(found.service, found.condition, found.required) for found in long] == [
        ("db", "service_healthy", False),
        ("x", "service_started", True),
    ]
    with pytest.raises(FormError, match="service_completed_successfully"):
        dependencies({"db": {"condition": "healthy"}})


def test_files_of_a_service() -> None:
    assert [
        (grant.source, grant.target) for grant in secret_grants(["a", {"source": "b", "target": "/x"}])
    ] == [
        ("a", "/run/secrets/a"),
        ("b", "/x"),
    ]
    assert config_grants([{"source": "c", "mode": 0o440}])[0].mode == "288"
    assert [
        (file.file, file.required) for file in env_files(["a.env", {"path": "b.env", "required": False}])
    ] == [
        ("a.env", True),
        ("b.env", False),
    ]
    assert env_files("a.env")[0].file == "a.env"


def test_limits() -> None:
    found = resources(
        {"mem_limit": "512m", "cpus": 0.5, "scale": 2, "deploy": {"resources": {"limits": {"cpus": "1"}}}}
    )
    assert found.memory == Amount("512m", ("mem_limit",))
    assert found.cpus == Amount("1", ("deploy", "resources", "limits", "cpus"))
    assert found.replicas == Amount("2", ("scale",))
    assert [
        (limit.soft, limit.hard) for limit in ulimits({"nofile": {"soft": 1, "hard": 2}, "nproc": -1})
    ] == [
        ("1", "2"),
        ("-1", "-1"),
    ]
    assert [(device.source, device.target, device.permissions) for device in devices(["/a", "/b:/c:r"])] == [
        ("/a", "/a", "rwm"),
        ("/b", "/c", "r"),
    ]
    reserved = {
        "deploy": {
            "resources": {"reservations": {"devices": [{"capabilities": ["gpu"], "device_ids": ["0"]}]}}
        }
    }
    assert [(gpu.count, gpu.ids) for gpu in (*gpus({"gpus": "all"}), *gpus(reserved))] == [
        ("all", ()),
        (None, ("0",)),
    ]


def test_extra_hosts() -> None:
    expected = [("a", ("10.0.0.1", "::1")), ("b", ("host-gateway",))]
    for value in (
        ["a:10.0.0.1", "a=[::1]", "b:host-gateway"],
        {"a": ["10.0.0.1", "::1"], "b": "host-gateway"},
    ):
        assert [(host.name, host.addresses) for host in extra_hosts(value)] == expected


@pytest.mark.parametrize("entry", ["a", ":1.1.1.1", "=1.1.1.1", "a:b=1.1.1.1", ["a=1"]])
def test_what_is_no_host(entry: Any) -> None:
    with pytest.raises(FormError):
        extra_hosts([entry])


def test_resources() -> None:
    assert resource("v", None).external is False
    old = resource("n", {"external": {"name": "real"}})
    assert (old.name, old.external) == ("real", True)
    inline = file_resource("s", {"content": "s3cret"})
    assert inline.has_content
    assert "s3cret" not in repr(inline)
    with pytest.raises(FormError, match="differ"):
        resource("n", {"name": "a", "external": {"name": "b"}})


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1m30s", 90), ("500ms", 0.5), ("0", 0), ("1.5h", 5400), ("${T:-2s}", 2), ("${T}", None), (None, None)],
)
def test_durations(text: str | None, expected: float | None) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("512m", 2**29),
        ("1.5G", 3 * 2**29),
        ("2gb", 2**31),
        ("64KiB", 65536),
        ("100", 100),
        ("-1", None),
        ("${M}", None),
    ],
)
def test_sizes(text: str, expected: int | None) -> None:
    assert size_bytes(text) == expected


def test_a_service_keeps_keys_without_a_form() -> None:
    found = service(
        "web", {"image": "x", "read_only": "${RO}", "pid": "host", "deploy": {"mode": "global"}, "new": 1}
    )
    assert (found.image, found.read_only) == ("x", "${RO}")
    assert found.rest == {"pid": "host", "deploy": {"mode": "global"}, "new": 1}
    assert service("web", {}) == Service("web")
    with pytest.raises(FormError) as caught:
        service("web", {"environment": {"A": []}})
    assert caught.value.path == ("environment", "A")
