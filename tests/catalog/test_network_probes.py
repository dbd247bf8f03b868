"""gRPC and WebSocket probes of a catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.loading import load_plan
from exporter.catalog.planning.specs import BasicAuth, GrpcSpec, TlsSpec, WebSocketSpec
from exporter.catalog.values.secret_text import EnvironmentReference, FileReference, SecretText
from tests.catalog.doors import mistakes, spec

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.catalog.doors import Write


def test_every_option(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "t0ken")
    (tmp_path / "key").write_text("k3y")
    path = write(
        """
        services:
          web:
            image: web
            port: 8080
            probes:
              - name: orders
                grpc:
                  port: 9090
                  service: shop.Orders
                  metadata: {Authorization: "Bearer ${TOKEN}", x-tenant: shop}
                  tls: {ca: ca.pem, server_name: orders.example}
                  ip: ip4
              - name: elsewhere
                grpc: {host: "2001:db8::1", port: 9091}
              - name: events
                websocket:
                  path: /events?since=1
                  scheme: wss
                  port: 8443
                  headers: {Origin: "https://shop.example", X-Api-Key: {file: key}}
                  subprotocols: [v2.shop, v1.shop]
                  send: '{"token": "${TOKEN}"}'
                  expect: '"ready"'
                  tls: {verify: false}
                  basic_auth: {username: me, password: "${TOKEN}"}
                  ip: prefer_ip6
              - name: chat
                websocket: {url: "ws://chat.example/", bearer_token: "${TOKEN}"}
        """
    )
    token = EnvironmentReference("TOKEN")
    assert spec(path, "orders") == GrpcSpec(
        "web",
        9090,
        "shop.Orders",
        (("Authorization", SecretText(("Bearer ", token))), ("x-tenant", "shop")),
        TlsSpec(ca_file=str(tmp_path / "ca.pem"), server_name="orders.example"),
        "ip4",
    )
    assert spec(path, "elsewhere") == GrpcSpec("2001:db8::1", 9091)
    assert spec(path, "events") == WebSocketSpec(
        "wss://web:8443/events?since=1",
        (
            ("Origin", "https://shop.example"),
            ("X-Api-Key", SecretText((FileReference(str(tmp_path / "key")),))),
        ),
        ("v2.shop", "v1.shop"),
        SecretText(('{"token": "', token, '"}')),
        '"ready"',
        TlsSpec(verify=False),
        BasicAuth("me", SecretText((token,))),
        None,
        "prefer_ip6",
    )
    assert spec(path, "chat") == WebSocketSpec("ws://chat.example/", bearer_token=SecretText((token,)))
    assert [target.target for target in load_plan(path).targets] == [
        "web:9090/shop.Orders",
        "[2001:db8::1]:9091",
        "wss://web:8443/events?since=1",
        "ws://chat.example/",
    ]


def test_an_unread_secret_is_a_mistake_of_its_key(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check all other places where these probes take a secret, too."""
    monkeypatch.delenv("SHOP_TOKEN", raising=False)
    path = write(
        """
        services:
          web:
            image: web
            port: 80
            probes:
              - {name: a, grpc: {metadata: {x: "${SHOP_TOKEN}"}}}
              - {name: b, websocket: {send: "${SHOP_TOKEN}"}}
              - {name: c, websocket: {headers: {X: "${SHOP_TOKEN}"}}}
              - {name: d, websocket: {bearer_token: "${SHOP_TOKEN}"}}
              - {name: e, websocket: {basic_auth: {username: me, password: "${SHOP_TOKEN}"}}}
        """
    )
    base = "services.web.probes"
    assert [line.split(": ")[1] for line in mistakes(path)] == [
        f"{base}[0].grpc.metadata.x",
        f"{base}[1].websocket.send",
        f"{base}[2].websocket.headers.X",
        f"{base}[3].websocket.bearer_token",
        f"{base}[4].websocket.basic_auth.password",
    ]
