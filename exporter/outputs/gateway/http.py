"""Settings for all requests: log, limits, forwarded headers, retries; and the replicas of each service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.outputs.durations import engine_duration, size_text
from exporter.outputs.gateway.nginx_text import Comment, Item, block, line, whole_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.catalog.keys.gateway import Gateway
    from exporter.outputs.gateway.routes import Route, Upstream

RESOLVER = "127.0.0.11"
"""Docker's DNS server, inside each container."""
LOOK_UP_SECONDS = 5
"""How long nginx caches a DNS answer; a deploy waits this long before nginx uses names again."""
IDLE_SECONDS = 4
"""Shorter than the five seconds after which uvicorn and Node close idle connections, so that nginx never sends a
request on a connection that is being closed."""
TRIES = 3

_LOG = {
    "time": "$time_iso8601",
    "remote": "$remote_addr",
    "method": "$request_method",
    "host": "$host",
    "path": "$uri",
    "status": "$status",
    "bytes": "$body_bytes_sent",
    "seconds": "$request_time",
    "upstream": "$upstream_addr",
    "upstream_status": "$upstream_status",
    "upstream_seconds": "$upstream_response_time",
    "request_id": "$gateway_request_id",
    "tls": "$ssl_protocol",
    "agent": "$http_user_agent",
}
"""Fields of the log. Query and referrer are left out, because they may hold secrets. All values are strings: without a
status nginx writes 000, which is no JSON number."""

_FORWARDED = {
    "Host": "$http_host",
    "X-Real-IP": "$remote_addr",
    "X-Forwarded-For": "$remote_addr",
    "X-Forwarded-Host": "$http_host",
    "X-Forwarded-Proto": "$scheme",
    "X-Request-ID": "$gateway_request_id",
    "X-Forwarded-Prefix": "",
    "Forwarded": "",
    "Proxy": "",
    "Connection": "",
}
"""Headers that replace what the client sent: this is the edge, where no client is trusted."""


def http_settings(gateway: Gateway, routes: list[Route]) -> Iterator[Item]:
    log = ",".join(f'"{name}":"{value}"' for name, value in _LOG.items())
    yield line("log_format", "gateway", "escape=json", f"{{{log}}}")
    yield line("access_log", "/dev/stdout", "gateway")
    yield from (
        line(f"{kind}_temp_path", f"/tmp/{kind}")  # noqa: S108 - a path inside the container
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    yield line("server_tokens", "off")
    yield line("absolute_redirect", "off")
    yield line("server_names_hash_bucket_size", "512")
    yield Comment("Limits: clients that send slowly or too much are disconnected.")
    yield line("client_header_timeout", "15s")
    yield line("client_body_timeout", "30s")
    yield line("send_timeout", "60s")
    yield line("keepalive_timeout", "65s")
    yield line("reset_timedout_connection", "on")
    yield line("large_client_header_buffers", "4", "16k")
    yield line("client_max_body_size", size_text(gateway.max_body))
    yield Comment("A client's X-Request-ID is kept only if it is safe in a log.")
    yield block(
        ["map", "$http_x_request_id", "$gateway_request_id"],
        line("default", "$request_id"),
        line("~^[A-Za-z0-9._-]{8,128}$", "$http_x_request_id"),
    )
    if any(route.written.websocket for route in routes):
        yield block(["map", "$http_upgrade", "$gateway_connection"], line("default", "upgrade"), line("", ""))
    yield from _proxying(gateway)


def forwarded_headers(**others: str) -> Iterator[Item]:
    """Yield the headers of requests to services. A location that sets one must set all: nginx inherits all or none."""
    for name, value in {
        **_FORWARDED,
        **{key.replace("_", "-"): value for key, value in others.items()},
    }.items():
        yield line("proxy_set_header", name, value)


def upstream_blocks(gateway: Gateway, upstreams: list[Upstream]) -> Iterator[Item]:
    yield Comment(
        "Replicas change, so nginx resolves each service's name repeatedly; it can start before the services."
    )
    yield line("resolver", RESOLVER, f"valid={LOOK_UP_SECONDS}s", "ipv6=off")
    yield line("resolver_timeout", f"{LOOK_UP_SECONDS}s")
    for upstream in upstreams:
        yield block(
            ["upstream", upstream.name],
            line("zone", upstream.name, "128k"),
            *([] if gateway.balance == "round_robin" else [line(gateway.balance)]),
            line(
                "server",
                f"{upstream.name}:{upstream.port}",
                "resolve",
                f"max_fails={gateway.max_fails}",
                f"fail_timeout={whole_seconds(gateway.fail_timeout)}",
            ),
            line("keepalive", "32"),
            line("keepalive_timeout", f"{IDLE_SECONDS}s"),
        )


def _proxying(gateway: Gateway) -> Iterator[Item]:
    timeouts = gateway.timeouts
    yield line("proxy_http_version", "1.1")
    yield line("proxy_connect_timeout", engine_duration(timeouts.connect))
    yield line("proxy_read_timeout", engine_duration(timeouts.read))
    yield line("proxy_send_timeout", engine_duration(timeouts.send))
    yield line("proxy_hide_header", "X-Powered-By")
    yield Comment("Answers are never buffered in files: /tmp is in memory, and small.")
    yield line("proxy_max_temp_file_size", "0")
    yield Comment(
        "If a replica fails, the request is sent to the next one. Exceptions: requests that must not be repeated "
        "(POST), and slow answers, which would take twice as long."
    )
    yield line("proxy_next_upstream", "error", "timeout")
    yield line("proxy_next_upstream_tries", str(TRIES))
    yield line("proxy_next_upstream_timeout", engine_duration(TRIES * timeouts.connect))
    yield from forwarded_headers()
