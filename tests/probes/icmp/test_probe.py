"""ICMP probes of hosts that answer, of hosts that do not, and of networks that say why not.

The kernel itself answers: on loopback and, if the tests can create network namespaces (as root), from a test router
behind a virtual cable.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from icmplib import ICMPv4Socket, SocketPermissionError

from exporter.catalog.planning.specs import IcmpSpec
from exporter.probes.base import Reason
from exporter.probes.net import resolve
from tests.probes.net.name_server import NameServer

if TYPE_CHECKING:
    from tests.probes.prober import Prober

CABLE = """
set -e
ip link set lo up
sysctl -qw net.ipv4.ping_group_range="$1"
unshare --net sleep 60 & router=$!
trap 'kill $router' EXIT
while [ "$(readlink /proc/$router/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do sleep 0.01; done
ip link add name va type veth peer name vb
ip link set vb netns $router
ip addr add 10.9.0.1/24 dev va
ip addr add fd09::1/64 dev va nodad
ip link set va up
nsenter --target $router --net sh -ec '
    ip addr add 10.9.0.2/24 dev vb
    ip addr add fd09::2/64 dev vb nodad
    ip link set vb up
    sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    ip route add unreachable 10.8.0.0/24
    ip route add prohibit 10.7.0.0/24
    ip route add blackhole 10.6.0.0/24
    ip route add unreachable fd08::/64
    ip route add 10.4.0.0/24 via 10.9.0.1
'
ip route add default via 10.9.0.2
ip route add default via fd09::2
ip route add unreachable 10.5.0.0/24
shift
"$@"
"""
"""Creates a namespace with a router behind a cable. The router forwards, refuses, forbids or drops, by destination.
$1: the groups that can open unprivileged ICMP sockets; the rest: the command to run there."""

UNPRIVILEGED, RAW = "0 2147483647", "1 0"
"""Groups for `ping_group_range`: all, and none."""


def permitted() -> bool:
    for privileged in (False, True):
        try:
            ICMPv4Socket(privileged=privileged).close()
        except SocketPermissionError:
            continue
        return True
    return False


needs_socket = pytest.mark.skipif(not permitted(), reason="this user cannot open ICMP sockets")


def may_make_namespaces() -> bool:
    return (
        os.geteuid() == 0
        and subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode == 0
    )


needs_namespaces = pytest.mark.skipif(
    not may_make_namespaces(), reason="creating a network namespace needs root"
)


@needs_socket
@pytest.mark.parametrize(("host", "protocol"), [("127.0.0.1", 4), ("::1", 6)])
@pytest.mark.parametrize("payload", [0, 56, 20000])
def test_a_host_that_answers(prober: Prober, host: str, protocol: int, payload: int) -> None:
    result = prober.run(IcmpSpec(host, payload_bytes=payload, ttl=77))
    assert result.success, result
    assert set(result.phases) == {"setup", "rtt"}
    assert result.facts == {"ip_protocol": protocol, "ip_addr": host, "reply_hop_limit": 64}


@needs_socket
def test_names_and_families(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    with NameServer({"both.test": ("::1", "127.0.0.1"), "six.test": ("::1",)}) as names:
        monkeypatch.setattr(resolve, "NAMESERVERS", [names.address])
        first = prober.run(IcmpSpec("both.test", ip_protocol="prefer_ip4"))
        only = prober.run(IcmpSpec("both.test", ip_protocol="ip6"))
        missing = prober.run(IcmpSpec("six.test", ip_protocol="ip4"))
    assert first.facts["ip_addr"] == "127.0.0.1"
    assert set(first.phases) == {"resolve", "setup", "rtt"}
    assert only.facts["ip_addr"] == "::1"
    assert missing.reason is Reason.RESOLVE


def ask(
    targets: list[tuple[str, int]], seconds: float, *, nobody: bool = False, groups: str = RAW
) -> list[dict[str, Any]]:
    asked = json.dumps({"nobody": nobody, "seconds": seconds, "targets": targets})
    child = [sys.executable, "-m", "tests.probes.icmp.child", asked]
    command = ["unshare", "--net", "sh", "-c", CABLE, "sh", groups, *child]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


NETWORK = {
    ("127.0.0.1", 64): (Reason.OK, ""),
    ("10.9.0.2", 64): (Reason.OK, ""),
    ("fd09::2", 64): (Reason.OK, ""),
    ("10.8.0.1", 64): (Reason.UNREACHABLE, "10.8.0.1: host unreachable, reported by 10.9.0.2"),
    ("fd08::1", 64): (Reason.UNREACHABLE, "fd08::1: no route, reported by fd09::2"),
    ("10.7.0.1", 64): (Reason.UNREACHABLE, "10.7.0.1: prohibited by a filter, reported by 10.9.0.2"),
    ("10.5.0.1", 64): (Reason.UNREACHABLE, "cannot send to 10.5.0.1: No route to host"),
    ("10.4.0.1", 1): (Reason.UNREACHABLE, "10.4.0.1: time to live exceeded, reported by 10.9.0.2"),
    ("10.6.0.1", 64): (Reason.TIMEOUT, "waiting for the echo reply (10.6.0.1)"),
}
"""Hosts with the hop limit of the request and the expected results, all probed at the same time."""


@needs_namespaces
@pytest.mark.parametrize("groups", [UNPRIVILEGED, RAW], ids=["unprivileged", "raw"])
def test_what_the_network_says(groups: str) -> None:
    rows = ask(list(NETWORK), 1, groups=groups)
    for ((host, _), (reason, detail)), row in zip(NETWORK.items(), rows, strict=True):
        assert row["reason"] == reason, row
        assert row["detail"].endswith(detail)
        if reason is Reason.OK:
            assert row["facts"]["ip_addr"] == host
            assert row["facts"]["reply_hop_limit"] == 64


@needs_namespaces
@pytest.mark.parametrize("groups", [UNPRIVILEGED, RAW], ids=["unprivileged", "raw"])
def test_many_at_once_do_not_take_each_others_replies(groups: str) -> None:
    """Send half of the requests to addresses that never reply, while a raw socket sees the replies to all others."""
    rows = ask([("10.9.0.2", 64), ("10.6.0.1", 64)] * 100, 1, groups=groups)
    assert [row["reason"] for row in rows] == [Reason.OK, Reason.TIMEOUT] * 100


@needs_namespaces
def test_no_permission() -> None:
    [row] = ask([("127.0.0.1", 64)], 1, nobody=True)
    assert row["reason"] == Reason.PERMISSION
    assert "net.ipv4.ping_group_range" in row["detail"]
    assert "CAP_NET_RAW" in row["detail"]


@needs_namespaces
def test_unprivileged_needs_no_capability() -> None:
    [row] = ask([("127.0.0.1", 64)], 1, nobody=True, groups=UNPRIVILEGED)
    assert row["reason"] == Reason.OK, row
