"""What the daemon needs of a catalog: plain frozen values, no pydantic, cheap to pickle, compare and keep.

The catalog's models are a person's text made true; a `Plan` is that text made flat for one environment. The
daemon's process never imports the models: a short-lived child loads the catalog and hands over a plan, so a
reload of thousands of services neither stalls a probe nor leaves the models' memory behind.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from exporter.catalog.secrets import SecretText

IpProtocol = Literal["any", "ip4", "ip6", "prefer_ip4", "prefer_ip6"]
"""`any` races both families (RFC 8305); `ip4`/`ip6` use only that one; `prefer_*` try that one first."""


@dataclass(frozen=True, slots=True)
class TlsSpec:
    """How a TLS connection is made and judged. Paths are absolute."""

    verify: bool = True
    server_name: str | None = None
    min_version: Literal["1.0", "1.1", "1.2", "1.3"] | None = None
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None


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
    """An RFC 9535 path and what its values must be: one equal to `equals` (JSON text), or matching `pattern`.

    With neither, the path must select at least one value; with `present=False` the condition is reversed.
    """

    path: str
    equals: str | None = None
    pattern: str | None = None
    present: bool = True


@dataclass(frozen=True, slots=True)
class BasicAuth:
    username: str
    password: SecretText


@dataclass(frozen=True, slots=True)
class HttpSpec:
    """One HTTP or HTTPS request and what its answer must be."""

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
    compression: Literal["gzip", "deflate"] | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """One step of a TCP conversation: wait for a line that matches, then send, then perhaps start TLS."""

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
    """One DNS question. `server` is `host`, `host:port` or `[v6]:port`; none means the system's resolvers.

    `answers`: each regular expression must match the text of at least one answer record (or, with
    `present=False`, of none). `rcodes`: the response codes that count as success.
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
    """One WebSocket handshake (RFC 6455), and perhaps one message each way.

    `url` begins with `ws:` or `wss:`. `send`: a text message sent after the handshake. `expect`: a regular expression
    that a text message from the server must match before the deadline.
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


@dataclass(frozen=True, slots=True)
class GrpcSpec:
    """One call of `grpc.health.v1.Health/Check`. An empty `service` asks for the server as a whole."""

    host: str
    port: int
    service: str = ""
    metadata: tuple[tuple[str, str | SecretText], ...] = ()
    tls: TlsSpec | None = None
    ip_protocol: IpProtocol = "any"


@dataclass(frozen=True, slots=True)
class PostgresqlSpec:
    """One connection to PostgreSQL, a login, and questions. `tls`: none means a connection in the clear."""

    host: str
    port: int
    username: str
    database: str
    password: SecretText | None = None
    tls: TlsSpec | None = None
    ip_protocol: IpProtocol = "any"


@dataclass(frozen=True, slots=True)
class RedisSpec:
    """One connection to Redis, a login where there is a password, and questions."""

    host: str
    port: int
    username: str | None = None
    password: SecretText | None = None
    tls: TlsSpec | None = None
    ip_protocol: IpProtocol = "any"


@dataclass(frozen=True, slots=True)
class MongodbSpec:
    """One connection to MongoDB, a login where there is a user, and questions. `database`: where the user is known."""

    host: str
    port: int
    username: str | None = None
    password: SecretText | None = None
    database: str = "admin"
    tls: TlsSpec | None = None
    ip_protocol: IpProtocol = "any"


@dataclass(frozen=True, slots=True)
class SqliteSpec:
    """A file of SQLite, opened for reading only. `check_interval`: seconds between two `PRAGMA quick_check`."""

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
    | RedisSpec
    | MongodbSpec
    | SqliteSpec
)


@dataclass(frozen=True, slots=True)
class Target:
    """One probe of one service: what to ask, how often, and the labels of its series."""

    service: str
    probe: str
    target: str
    """The label: the URL, `host:port` or name that is asked. Never holds a credential."""
    interval: float
    """Seconds."""
    timeout: float
    """Seconds, never more than `interval`."""
    spec: ProbeSpec

    @property
    def key(self) -> tuple[str, str]:
        """Unique in a plan."""
        return self.service, self.probe


@dataclass(frozen=True, slots=True)
class LogsPlan:
    """What is counted in a service's log: names and regular expressions, matched against each line."""

    patterns: tuple[tuple[str, str], ...]
    max_line: int
    """Bytes of a line that are looked at."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A Docker engine's Unix socket, or its host and port, with TLS where there is a `tls`."""

    shown: str
    """The address, for people."""
    socket: str | None = None
    host: str = ""
    port: int = 0
    tls: TlsSpec | None = None


@dataclass(frozen=True, slots=True)
class ContainersPlan:
    """How containers are watched.

    `docker`: the address of the engine as the catalog has it; none means DOCKER_HOST, the context, or the usual
    socket. `endpoint`: the engine that this led to, once it was looked for. `cgroup`, `proc`: where the host's files
    are mounted; none of `cgroup` means where this process sees them. `projects`: Compose projects and Swarm stacks
    whose services are the catalog's. `labels`: names of container labels that become labels of series beside those of
    Compose and Swarm.
    """

    source: Literal["auto", "cgroup", "api", "off"] = "auto"
    interval: float = 10.0
    strangers: bool = True
    docker: str | None = None
    endpoint: Endpoint | None = None
    cgroup: str | None = None
    proc: str | None = None
    projects: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VolumePlan:
    """A volume, and the folder at which the daemon sees it."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class BackupsPlan:
    """Whose backups are watched: names of stores and volumes, and the folder of their markers."""

    folder: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """What the status page says of a service or store beside its probes."""

    name: str
    kind: Literal["service", "store"]
    description: str = ""
    owner: str | None = None
    depends_on: tuple[str, ...] = ()
    runbook: str | None = None
    deployed: bool = True
    """False of a service with neither build nor image: somebody else's, watched and not deployed."""
    port: int | None = None
    metrics_path: str | None = None
    metrics_target: str | None = None
    """host:port at which Prometheus finds the service's own metrics; none where it has none."""
    metrics_scheme: Literal["http", "https"] = "http"
    metrics_interval: float | None = None
    """Seconds."""
    replicas: int = 1
    logs: LogsPlan | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All that the daemon runs on."""

    project: str
    environment: str
    listen_host: str
    listen_port: int
    services: tuple[ServicePlan, ...]
    targets: tuple[Target, ...]
    buckets: tuple[float, ...] = ()
    """Upper bounds, in seconds, that SLOs ask of `probe_latency_seconds` beside the default ones."""
    containers: ContainersPlan = field(default_factory=ContainersPlan)
    volumes: tuple[VolumePlan, ...] = ()
    backups: BackupsPlan | None = None
