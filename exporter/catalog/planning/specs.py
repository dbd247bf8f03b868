"""Specs of the probes of each protocol: plain frozen values, made from the catalog."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from exporter.catalog.values.constants import DEFAULT_MAX_JSON_BYTES

if TYPE_CHECKING:
    from exporter.catalog.values.secret_text import SecretText

IpProtocol = Literal["any", "ip4", "ip6", "prefer_ip4", "prefer_ip6"]
"""`any` races both families (RFC 8305); `ip4`/`ip6` use only that one; `prefer_*` try that one first."""


@dataclass(frozen=True, slots=True)
class TlsSpec:
    """Settings and checks of a TLS connection. Paths are absolute."""

    verify: bool = True
    server_name: str | None = None
    min_version: Literal["1.0", "1.1", "1.2", "1.3"] | None = None
    max_version: Literal["1.0", "1.1", "1.2", "1.3"] | None = None
    ciphers: str | None = None
    """As OpenSSL lists them; for TLS 1.2 and below."""
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """Return the files that a connection needs."""
        return tuple(f for f in (self.ca_file, self.certificate_file, self.key_file) if f)


@dataclass(frozen=True, slots=True)
class Condition:
    """A regular expression that a text must match (`present`) or must not."""

    pattern: str
    present: bool = True


@dataclass(frozen=True, slots=True)
class HeaderCondition:
    """A header whose value must match `pattern`; with `present=False`, must not (a missing one passes)."""

    name: str
    pattern: str
    present: bool = True


@dataclass(frozen=True, slots=True)
class JsonCondition:
    """An RFC 9535 path and a condition: one value must equal `equals` (JSON text), or match `pattern`.

    Without both, the path must select something. `present=False` negates the condition.
    """

    path: str
    equals: str | None = None
    pattern: str | None = None
    present: bool = True


@dataclass(frozen=True, slots=True)
class BasicAuth:
    username: str | SecretText
    password: SecretText


@dataclass(frozen=True, slots=True)
class HttpSpec:
    """One HTTP or HTTPS request and the conditions on its response.

    `url`: as labels and pages show it. `request_path`: its path and query, if they hold references to secrets.
    """

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str | SecretText], ...] = ()
    body: str | SecretText | None = None
    statuses: tuple[tuple[int, int], ...] = ((200, 299),)
    versions: tuple[str, ...] = ()
    body_conditions: tuple[Condition, ...] = ()
    json_conditions: tuple[JsonCondition, ...] = ()
    header_conditions: tuple[HeaderCondition, ...] = ()
    follow_redirects: bool = True
    max_redirects: int = 10
    tls: TlsSpec = field(default_factory=TlsSpec)
    basic_auth: BasicAuth | None = None
    bearer_token: SecretText | None = None
    proxy: str | SecretText | None = None
    ip_protocol: IpProtocol = "any"
    max_body_bytes: int = 10 * 1024 * 1024
    max_json_bytes: int = DEFAULT_MAX_JSON_BYTES
    http2_prior_knowledge: bool = False
    compression: Literal["gzip", "deflate"] | None = None
    request_path: SecretText | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """One step of a TCP conversation: wait for a line that matches, then send, then optionally start TLS."""

    expect: str | None = None
    send: str | SecretText | None = None
    starttls: bool = False


@dataclass(frozen=True, slots=True)
class TcpSpec:
    """A TCP connection, with TLS from the start (`tls`), after STARTTLS (`starttls="smtp"`), or not at all."""

    host: str
    port: int
    tls: TlsSpec | None = None
    starttls: Literal["smtp"] | None = None
    exchanges: tuple[Exchange, ...] = ()
    ip_protocol: IpProtocol = "any"


@dataclass(frozen=True, slots=True)
class DnsSpec:
    """One DNS question. `server` is `host`, `host:port` or `[v6]:port`; None means the system's resolvers.

    `answers`: each regular expression must match the text of at least one answer record (with
    `present=False`, of no record). `rcodes`: the response codes that count as success.
    """

    name: str
    type: str = "A"
    server: str | None = None
    transport: Literal["udp", "tcp"] = "udp"
    rcodes: tuple[str, ...] = ("NOERROR",)
    answers: tuple[Condition, ...] = ()
    min_answers: int = 1
    recursion: bool = True
    ip_protocol: IpProtocol = "any"


@dataclass(frozen=True, slots=True)
class IcmpSpec:
    """One echo request."""

    host: str
    payload_bytes: int = 56
    ttl: int = 64
    ip_protocol: IpProtocol = "any"


@dataclass(frozen=True, slots=True)
class WebSocketSpec:
    """One WebSocket handshake (RFC 6455), optionally with one message each way.

    `url` begins with `ws:` or `wss:`. `send`: a text message sent after the handshake. `expect`: a regular expression
    that a text message from the server must match before the deadline. `request_path`: as in `HttpSpec`.
    """

    url: str
    headers: tuple[tuple[str, str | SecretText], ...] = ()
    subprotocols: tuple[str, ...] = ()
    send: str | SecretText | None = None
    expect: str | None = None
    tls: TlsSpec = field(default_factory=TlsSpec)
    basic_auth: BasicAuth | None = None
    bearer_token: SecretText | None = None
    ip_protocol: IpProtocol = "any"
    request_path: SecretText | None = None


@dataclass(frozen=True, slots=True)
class GrpcSpec:
    """One call of `grpc.health.v1.Health/Check`. An empty `service` checks the whole server."""

    host: str
    port: int
    service: str = ""
    metadata: tuple[tuple[str, str | SecretText], ...] = ()
    tls: TlsSpec | None = None
    ip_protocol: IpProtocol = "any"


@dataclass(frozen=True, slots=True)
class PostgresqlSpec:
    """One connection to PostgreSQL, a login, and queries. `tls`: None means an unencrypted connection."""

    host: str
    port: int
    username: str
    database: str
    password: SecretText | None = None
    tls: TlsSpec | None = None
    ip_protocol: IpProtocol = "any"


@dataclass(frozen=True, slots=True)
class MysqlSpec:
    """One connection to MySQL or MariaDB, a login, and questions. `database`: none is entered if it is None."""

    host: str
    port: int
    username: str
    database: str | None = None
    password: SecretText | None = None
    tls: TlsSpec | None = None
    ip_protocol: IpProtocol = "any"


@dataclass(frozen=True, slots=True)
class RedisSpec:
    """One connection to Redis, a login if there is a password, and queries."""

    host: str
    port: int
    username: str | None = None
    password: SecretText | None = None
    tls: TlsSpec | None = None
    ip_protocol: IpProtocol = "any"


@dataclass(frozen=True, slots=True)
class MongodbSpec:
    """One connection to MongoDB, a login if there is a user, and queries. `database`: where the user is defined."""

    host: str
    port: int
    username: str | None = None
    password: SecretText | None = None
    database: str = "admin"
    tls: TlsSpec | None = None
    ip_protocol: IpProtocol = "any"


@dataclass(frozen=True, slots=True)
class SqliteSpec:
    """A SQLite file, opened read-only. `check_interval`: seconds between two `PRAGMA quick_check`."""

    path: str
    check_interval: float = 21600.0


ProbeSpec = (
    HttpSpec
    | TcpSpec
    | DnsSpec
    | IcmpSpec
    | WebSocketSpec
    | GrpcSpec
    | PostgresqlSpec
    | MysqlSpec
    | RedisSpec
    | MongodbSpec
    | SqliteSpec
)
