"""Keys that have Compose's name: each short form with its long form, and a sentence for each mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.catalog.loading import load_catalog
from tests.catalog.doors import all_mistakes, warned

if TYPE_CHECKING:
    from tests.catalog.doors import Write

REST = (
    "networks: {front: }\nconfigs: {motd: {file: ./motd}}\nstores: {db: {engine: redis}}\nvolumes: {data: }\n"
)

SHORT = {
    "environment": ("environment: [A=b=c, D, E=]", "environment: {A: b=c, D: , E: ''}"),
    "environment, booleans": ("environment: {A: true}", "environment: {A: 'true'}"),
    "labels": ("labels: [a=b, c]", "labels: {a: b, c: ''}"),
    "env_file": ("env_file: ./a.env", "env_file: [{path: ./a.env}]"),
    "ports": (
        "ports: ['127.0.0.1:8080:80/udp', 90]",
        "ports: [{host_ip: 127.0.0.1, published: 8080, target: 80, protocol: udp}, {target: 90, protocol: tcp}]",
    ),
    "networks": ("networks: front", "networks: {front: {}}"),
    "test": ("healthcheck: {test: a b}", "healthcheck: {test: [CMD-SHELL, a b]}"),
    "no test": ("healthcheck: {test: NONE}", "healthcheck: {test: [NONE]}"),
    "condition": (
        "depends_on: {db: {condition: service_completed_successfully}}",
        "depends_on: {db: completed}",
    ),
    "mount": (
        "volumes: './a:/a:ro,z'",
        "volumes: [{source: ./a, target: /a, read_only: true, bind: {selinux: z}}]",
    ),
    "an anonymous volume": ("volumes: /a", "volumes: [{target: /a}]"),
    "extra_hosts": ("extra_hosts: ['a:::1', 'b=1.2.3.4']", "extra_hosts: {a: ['::1'], b: 1.2.3.4}"),
    "ulimits": ("ulimits: {nofile: 5}", "ulimits: {nofile: {soft: 5, hard: 5}}"),
    "gpus": ("gpus: all", "gpus: [{count: all}]"),
    "configs": ("configs: motd", "configs: [{source: motd}]"),
    "size": ("shm_size: 64MB", "shm_size: 67108864"),
    "sysctls": ("sysctls: [a=1]", "sysctls: {a: 1}"),
}


@pytest.mark.parametrize(("short", "long"), SHORT.values(), ids=SHORT)
def test_short_forms(short: str, long: str, write: Write) -> None:
    def loaded(keys: str) -> object:
        return load_catalog(write(f"services:\n  a:\n    image: a:1\n    {keys}\n{REST}"))

    left, right = loaded(short), loaded(long)
    if short.startswith("ports"):
        assert [port.model_dump() for port in left.services["a"].ports] == [  # type: ignore[attr-defined]
            port.model_dump()
            for port in right.services["a"].ports  # type: ignore[attr-defined]
        ]
    else:
        assert left == right


MISTAKES = {
    "ranges": (
        "a: {image: 'a:1', ports: '8080-8085:80-90'}",
        "8080-8085 has 6 ports and 80-90 has 11; both ranges must have the same size",
    ),
    "a range that ends before it begins": (
        "a: {image: 'a:1', ports: '90-80:80'}",
        "is not a port or a range",
    ),
    "a port that does not exist": ("a: {image: 'a:1', ports: '80:70000'}", "is not a port or a range"),
    "a protocol": ("a: {image: 'a:1', ports: '80:80/icmp'}", "the protocol is one of tcp, udp, sctp"),
    "no port at all": ("a: {image: 'a:1', ports: 'a:b:c:80'}", "does not publish a port; write 80, 8080:80"),
    "one port of the host twice": (
        "a: {image: 'a:1', ports: '80:80'}\n  b: {image: 'b:1', ports: '127.0.0.1:79-81:1-3'}",
        'port 79-81 of the host is taken by "a"; use another port',
    ),
    "one port of replicas": (
        "a: {image: 'a:1', replicas: 2, ports: '80:80'}",
        "2 replicas cannot share port 80 of the host",
    ),
    "one name of replicas": (
        "a: {image: 'a:1', replicas: 2, container_name: a}",
        "2 replicas cannot share one container name; remove it, or set replicas: 1",
    ),
    "one address of replicas": (
        "a: {image: 'a:1', replicas: 2, networks: {front: {ipv4_address: 10.0.0.2}}}",
        "2 replicas cannot share one ipv4_address",
    ),
    "one name of two services": (
        "a: {image: 'a:1', container_name: x}\n  b: {image: 'b:1', container_name: x}",
        '"a" already has the container name "x"; use another one',
    ),
    "names alike": ("a_b: {image: 'a:1'}\n  A.b: {image: 'b:1'}", "is too similar to the service"),
    "an unknown network": ("a: {image: 'a:1', networks: frnot}", 'unknown network "frnot"'),
    "an unknown config": ("a: {image: 'a:1', configs: modt}", 'unknown config "modt"'),
    "an unknown network of another": (
        "a: {image: 'a:1', network_mode: 'service:x'}",
        'unknown service or store "x"',
    ),
    "networks and a mode": (
        "a: {image: 'a:1', network_mode: none, networks: front}",
        "networks and network_mode cannot be combined",
    ),
    "ports and another's network": (
        "a: {image: 'a:1', network_mode: 'service:db', ports: 80}",
        "ports cannot be published with network_mode service:db",
    ),
    "the host's network without an address": (
        "a: {image: 'a:1', network_mode: host, port: 80}",
        "is on the network of its host and has no name there; write address",
    ),
    "a mode": ("a: {image: 'a:1', network_mode: hosts}", "is not a network mode"),
    "a disabled check": (
        "a: {image: 'a:1', depends_on: {b: healthy}}\n  b: {image: 'b:1', healthcheck: {disable: true}}",
        "waits until b is healthy, but its healthcheck is disabled",
    ),
    "a profile": (
        "a: {image: 'a:1', depends_on: b}\n  b: {image: 'b:1', profiles: x}",
        "needs b, which only starts with the profile x",
    ),
    "a profile more": (
        "a: {image: 'a:1', depends_on: b, profiles: [x, y]}\n  b: {image: 'b:1', profiles: x}",
        "needs b, which only starts with the profile x",
    ),
    "a profile of the container whose network it is": (
        "a: {image: 'a:1', network_mode: 'service:b'}\n  b: {image: 'b:1', profiles: x}",
        "needs b, which only starts with the profile x",
    ),
    "public without networks": (
        "a: {image: 'a:1', public: true, network_mode: none}",
        "public puts it on the edge network",
    ),
    "a test": ("a: {image: 'a:1', healthcheck: {test: [pg_isready]}}", "begins with CMD or CMD-SHELL"),
    "a variable twice": ("a: {image: 'a:1', environment: [A=1, A=2]}", '"A" is in this list twice'),
    "one place for two mounts": (
        "a: {image: 'a:1', volumes: ['./a:/a', './b:/a/']}",
        "something else is already mounted at /a/",
    ),
    "an option of a mount": ("a: {image: 'a:1', volumes: './a:/a:rx'}", "is not one of rw, ro, z, Z"),
    "limits": (
        "a: {image: 'a:1', ulimits: {nofile: {soft: 2, hard: 1}}}",
        "soft (2) is more than hard (1)",
    ),
    "an address": (
        "a: {image: 'a:1', networks: {front: {ipv4_address: 10.0.0.256}}}",
        "is not an IP address",
    ),
    "a cycle": (
        "a: {image: 'a:1', network_mode: 'service:b'}\n  b: {image: 'b:1', depends_on: a}",
        "a -> b -> a",
    ),
}


@pytest.mark.parametrize(("services", "sentence"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes(services: str, sentence: str, write: Write) -> None:
    found = all_mistakes(write(f"services:\n  {services}\n{REST}"))
    assert any(sentence in line for line in found), found
    assert len(found) == 1, found


WHOLE = {
    "an external network with settings": ("networks: {a: {external: true, driver: x}}", "is used as it is"),
    "a generated network": ("networks: {edge: }", "is taken by a generated network"),
    "an external volume with settings": ("volumes: {a: {external: true, labels: [a]}}", "is used as it is"),
    "a config without a source": ("configs: {a: {}}", "a config needs file, content or environment"),
    "a file of SQLite with keys of a container": (
        (
            "services: {w: {image: 'w:1', volumes: './d:/d'}}\n"
            "stores: {f: {engine: sqlite, service: w, path: /d/f, ports: 80, command: x}}"
        ),
        "a sqlite store is a file inside a service and has no command or ports",
    ),
    "a config with two": ("configs: {a: {file: a, content: b}}", "remove all but one of file, content"),
}


@pytest.mark.parametrize(("text", "sentence"), WHOLE.values(), ids=WHOLE)
def test_mistakes_of_the_whole(text: str, sentence: str, write: Write) -> None:
    found = all_mistakes(write(f"{text}\n"))
    assert len(found) == 1, found
    assert sentence in found[0]


def test_a_condition_that_only_the_image_can_meet_is_a_warning(write: Write) -> None:
    found = warned(
        write(
            "services: {a: {image: 'a:1', depends_on: {b: healthy}}, b: {image: 'b:1'}}\nenvironments: {p: {}}\n"
        )
    )
    assert len(found) == 1
    assert "waits until b is healthy, which needs a health check in its image" in found[0]
