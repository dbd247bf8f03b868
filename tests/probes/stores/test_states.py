"""Stores that answer but are unhealthy: cut off from their primary, full, or in a cluster that is
down. Real servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import redis

from exporter.catalog.planning.specs import PostgresqlSpec
from exporter.catalog.values.secret_text import SecretText
from tests.probes.mongodb.server import Mongod
from tests.probes.mongodb.server import spec as mongodb_spec
from tests.probes.postgresql.server import PostgresqlServer
from tests.probes.redis.server import RedisServer, spec
from tests.probes.servers import Server
from tests.waiting import free_port, until

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from exporter.probes.base import ProbeResult
    from tests.probes.certificates import Certificate
    from tests.probes.prober import Prober

PASSWORD = "s3cret-v4lue"


def test_postgresql_standby_that_is_cut_off(prober: Prober, certificate: Certificate) -> None:
    """Check that the lag is unknown and not 0: the standby knows that nothing arrives, but not how
    far behind it is."""

    def of_replica(username: str = "monitor") -> ProbeResult:
        secret = SecretText((PASSWORD,))
        result = prober.run(PostgresqlSpec("127.0.0.1", replica.port, username, "postgres", secret))
        assert result.success, result
        return result

    def connected() -> float | str | None:
        return of_replica().facts.get("store_replication_connected")

    with PostgresqlServer(certificate) as primary:
        primary.sql("CREATE ROLE monitor LOGIN PASSWORD 's3cret-v4lue' IN ROLE pg_monitor")
        primary.sql("CREATE ROLE plain LOGIN PASSWORD 's3cret-v4lue'")
        with primary.replica() as replica:
            until(lambda: connected() == 1, "the replica to be connected")
            assert of_replica().facts["store_replication_lag"] == 0
            assert of_replica("plain").facts["store_replication_connected"] == 1
            assert "store_accepts_writes" not in of_replica().facts
            primary.stop()
            until(lambda: connected() == 0, "the replica to be cut off")
            # After a restart it has replayed no transaction, so there is no time to count from.
            replica.stop()
            replica.start()
            for user in ("monitor", "plain"):
                facts = of_replica(user).facts
                assert facts["store_role"] == "replica"
                assert facts["store_replication_connected"] == 0
                assert "store_replication_lag" not in facts
            replica.set("restore_command = '/bin/false'")
            until(
                lambda: "store_replication_connected" not in of_replica("plain").facts,
                "the plain role to be unable to tell it from a replica that only restores archives",
            )
            assert connected() == 0, "primary_conninfo must be set; pg_monitor can read it"
            replica.set("primary_conninfo = ''")
            until(lambda: connected() is None, "the replica to need no connection")


def test_redis_replica_whose_link_never_came_up(prober: Prober, tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis", replicaof=f"127.0.0.1 {free_port()}") as server:
        result = prober.run(spec(server))
    assert result.success, result
    assert result.facts["store_role"] == "replica"
    assert result.facts["store_replication_connected"] == 0
    assert "store_replication_lag" not in result.facts
    assert "store_accepts_writes" not in result.facts


def test_redis_replica_that_is_connected(prober: Prober, tmp_path: Path) -> None:
    with (
        RedisServer(tmp_path / "primary", repl_diskless_sync_delay="0") as primary,
        RedisServer(tmp_path / "replica", replicaof=f"127.0.0.1 {primary.port}") as replica,
    ):
        until(
            lambda: prober.run(spec(replica)).facts["store_replication_connected"] == 1, "the link to be up"
        )
        primary.run("CONFIG", "SET", "min-replicas-to-write", "1")
        until(lambda: prober.run(spec(primary)).facts["store_accepts_writes"] == 1, "a good replica")
        replica.stop()
        until(lambda: prober.run(spec(primary)).facts["store_accepts_writes"] == 0, "no good replica")
        assert prober.run(spec(primary)).facts["store_writes_refused"] == "replicas"
        with pytest.raises(redis.ResponseError, match="NOREPLICAS"):
            primary.run("SET", "a", "b")


@pytest.mark.parametrize("policy", ["noeviction", "volatile-lru"])
def test_redis_at_its_memory_limit(policy: str, prober: Prober, tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis", maxmemory="3mb", maxmemory_policy=policy) as server:
        before = prober.run(spec(server)).facts
        assert (before["store_accepts_writes"], before["store_memory_max"]) == (1, 3 * 1024 * 1024)
        assert before["store_memory_policy"] == policy
        assert before["store_out_of_memory_errors"] == 0
        with server.client() as client:
            for size in (100_000, 1000, 10):
                with pytest.raises(redis.ResponseError, match="maxmemory"):  # noqa: PT012 - it is not known which call raises
                    for number in range(10_000):
                        client.set(f"key-{size}-{number}", "x" * size)
            result = prober.run(spec(server))
        assert result.success, result
        assert result.facts["store_out_of_memory_errors"] == 3
        assert result.facts["store_accepts_writes"] == 0
        assert result.facts["store_writes_refused"] == "memory"
        assert float(result.facts["store_memory_used"]) > 3 * 1024 * 1024
        server.run("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        assert prober.run(spec(server)).facts["store_accepts_writes"] == 1
        server.run("SET", "one", "more")


def test_redis_that_evicts_takes_writes(prober: Prober, tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis", maxmemory="3mb", maxmemory_policy="volatile-ttl") as server:
        for number in range(60):
            server.run("SET", f"key-{number}", "x" * 100_000, "EX", "1000")
        facts = prober.run(spec(server)).facts
    assert facts["store_accepts_writes"] == 1
    assert float(facts["store_memory_used"]) > 0.8 * float(facts["store_memory_max"])


def test_redis_cluster_that_is_down(prober: Prober, tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis", cluster_enabled="yes", cluster_port=str(free_port())) as server:
        result = prober.run(spec(server))
        assert result.success, result
        assert result.facts["store_cluster_ok"] == 0
        assert result.facts["store_writes_refused"] == "cluster"
        assert result.facts["store_accepts_writes"] == 0
        with pytest.raises(redis.RedisError, match="slot not served"):
            server.run("SET", "a", "b")
        server.run("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        until(lambda: prober.run(spec(server)).facts["store_cluster_ok"] == 1, "the cluster to serve")
        assert prober.run(spec(server)).facts["store_accepts_writes"] == 1


def test_redis_that_cannot_write_its_snapshot(prober: Prober, tmp_path: Path) -> None:
    """Check that Redis reports it to PING, which makes the result a failure."""
    with RedisServer(tmp_path / "redis") as server:
        server.run("CONFIG", "SET", "save", "3600 1")
        server.run("CONFIG", "SET", "rdbcompression", "no")
        (tmp_path / "redis" / "dump.rdb").mkdir()  # a folder cannot be replaced by a file
        (tmp_path / "redis" / "dump.rdb" / "in the way").touch()
        server.run("BGSAVE")
        until(lambda: not prober.run(spec(server)).success, "the snapshot to fail")
        result = prober.run(spec(server))
    assert result.reason == "answer"
    assert "MISCONF" in result.detail or "unable to persist" in result.detail


MEMBERS: dict[str, tuple[dict[str, Any], float | None]] = {
    "follows": ({"myState": 2, "syncSourceHost": "a:27017"}, 1),
    "has no source": ({"myState": 2, "syncSourceHost": ""}, 0),
    "recovers": ({"myState": 3, "syncSourceHost": "a:27017"}, 0),
    "rolls back": ({"myState": 9, "syncSourceHost": "a:27017"}, 0),
    "copies the data": ({"myState": 5, "syncSourceHost": "a:27017"}, 1),
    "was removed": ({"myState": 10}, 0),
    "is the primary": ({"myState": 1, "syncSourceHost": ""}, None),
    "is an arbiter": ({"myState": 7}, None),
    "an old release": ({"myState": 2, "members": [{"state": 1}, {"state": 2, "self": True}]}, 1),
    "an old release, alone": ({"myState": 2, "members": [{"state": 8}, {"state": 2, "self": True}]}, 0),
    "no state": ({"myState": "2"}, None),
}


@pytest.mark.parametrize("name", MEMBERS)
def test_mongodb_member(name: str, prober: Prober) -> None:
    status, connected = MEMBERS[name]
    hello = {"secondary": status["myState"] == 2, "setName": "rs0"}
    with Server(Mongod(answers={"hello": hello, "replSetGetStatus": status})) as server:
        result = prober.run(mongodb_spec(server))
    assert result.success, result
    assert result.facts.get("store_replication_connected") == connected
    assert "store_accepts_writes" not in result.facts
