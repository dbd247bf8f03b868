"""Actions on a real engine: processes with streams, helpers that are removed, and an engine that is lost in the
middle."""

from __future__ import annotations

import io
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.host.engine import Engine, Helper, connected
from exporter.host.failures import EngineLost, NotThere, OperationError, Refused
from tests.docker_engine import IMAGE, DockerEngine

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(200)

LABELS = {"com.docker.compose.project": "shop", "com.docker.compose.oneoff": "False"}


@pytest.fixture(scope="module")
def docker() -> Iterator[DockerEngine]:
    with tempfile.TemporaryDirectory(prefix="docker-") as folder, DockerEngine(Path(folder)) as engine:
        yield engine


@pytest.fixture
def engine(docker: DockerEngine) -> Iterator[Engine]:
    with connected(docker.host) as engine:
        yield engine
    docker.remove_all()


def labelled(service: str, **more: str) -> list[str]:
    labels = {**LABELS, "com.docker.compose.service": service, **more}
    return [word for name, value in labels.items() for word in ("--label", f"{name}={value}")]


def test_what_it_says_of_itself_and_of_containers(engine: Engine, docker: DockerEngine) -> None:
    facts = engine.facts()
    assert facts.version[0].isdigit()
    assert Path(facts.root).is_dir()
    assert engine.is_local
    running = docker.run(*labelled("web"), "--name", "shop_web_1", "--restart", "always", "--user", "7")
    ended = docker.run(*labelled("job"), command=("sh", "-c", "printf 'a\\033[2J\\nlast\\n'; exit 3"))
    docker.docker("wait", ended)
    job, web = engine.containers("shop")
    assert (web.id, web.name, web.service, web.state, web.health) == (
        running,
        "shop_web_1",
        "web",
        "running",
        "",
    )
    assert (web.restart_policy, web.user, web.image_name, web.healthy) == ("always", "7", IMAGE, True)
    assert web.started is not None
    assert (job.state, job.exit_code, job.completed) == ("exited", 3, False)
    assert engine.logs(ended, 5) == ["a\\x1b[2J", "last"]
    assert engine.containers("shop", "web")[0].id == running
    assert [line.split(maxsplit=1)[1] for line in engine.processes(running)] == ["sleep 1000"]


def test_a_process_with_streams(engine: Engine, docker: DockerEngine, tmp_path: Path) -> None:
    id_ = docker.run()
    done = engine.execute(id_, ["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.status, done.out, done.errors, done.reason) == (3, b"out\n", b"err\n", "err")
    data = os.urandom(5_000_000)
    with (tmp_path / "copy").open("wb") as file:
        done = engine.execute(id_, ["cat"], given=io.BytesIO(data), write=file.write)
    assert done.good
    assert (tmp_path / "copy").read_bytes() == data
    assert (
        engine.execute(id_, ["sh", "-c", 'echo "$A $(id -u)"'], user="7", environment={"A": "b c"}).out
        == b"b c 7\n"
    )
    assert engine.execute(id_, ["cat"], given=b"").out == b""
    assert engine.execute(id_, ["true"], given=data).good
    for _ in range(20):
        assert engine.execute(id_, ["echo", "first"]).out == b"first\n"


def test_what_a_process_may_not_do(engine: Engine, docker: DockerEngine) -> None:
    id_ = docker.run()
    with pytest.raises(OperationError, match="more than 1000 bytes"):
        engine.execute(id_, ["cat", "/dev/zero"], limit=1000)
    with pytest.raises(OperationError, match=r"sleep in .* did not finish within 1 s"):
        engine.execute(id_, ["sleep", "60"], seconds=1)
    # The engine reports this only as the status of the process.
    assert engine.execute(id_, ["not-there"]).status in (126, 127)
    docker.docker("pause", id_)
    with pytest.raises(Refused, match="is paused"):
        engine.execute(id_, ["true"])
    docker.docker("unpause", id_)
    with pytest.raises(NotThere):
        engine.execute("0" * 64, ["true"])


def test_a_helper_is_gone_when_it_is_done(engine: Engine, tmp_path: Path) -> None:
    labels = {"test.helper": "1"}
    volume = engine.create_volume(labels)
    assert engine.volumes(labels) == [volume]
    mounts = {"/v": (volume, True), "/h": (str(tmp_path), False)}
    (tmp_path / "here").write_text("file")
    write = Helper(
        IMAGE,
        ("sh", "-c", "cat >/v/data; cat /h/here; echo $A; id -u"),
        labels,
        mounts,
        environment={"A": "b"},
    )
    assert engine.run_helper(write, given=b"saved").out == b"fileb\n0\n"
    read = Helper(IMAGE, ("cat", "/v/data"), labels, {"/v": (volume, False)})
    assert engine.run_helper(read).out == b"saved"
    closed = Helper(
        IMAGE,
        ("sh", "-c", "echo x >/v/y || echo x >/z || ls /sys/class/net"),
        labels,
        {"/v": (volume, False)},
    )
    assert engine.run_helper(closed).out == b"lo\n"
    with pytest.raises(OperationError, match="did not finish within 1 s"):
        engine.run_helper(Helper(IMAGE, ("sleep", "60"), labels, {}), seconds=1)
    with pytest.raises(NotThere):
        engine.run_helper(Helper("not:there", ("true",), labels, {}))
    assert engine.labelled(labels) == []
    engine.remove_volume(volume)
    engine.remove_volume(volume)
    assert engine.volume(volume) is None


def test_images_get_and_lose_names(engine: Engine) -> None:
    image = engine.image(IMAGE)
    assert image is not None
    engine.tag(image.id, "shop/web:rollback-1")
    found = engine.image("shop/web:rollback-1")
    assert found is not None
    assert found.id == image.id
    engine.untag("shop/web:rollback-1")
    engine.untag("shop/web:rollback-1")
    assert engine.image("shop/web:rollback-1") is None


def test_containers_stop_side_by_side(engine: Engine, docker: DockerEngine) -> None:
    slow = ("sh", "-c", "trap '' TERM; while :; do sleep 1; done")
    ids = [docker.docker("run", "--detach", "--stop-timeout", "3", IMAGE, *slow) for _ in range(3)]
    began = time.monotonic()
    engine.stop(*ids)
    assert time.monotonic() - began < 8
    assert {engine.container(id_).state for id_ in ids} == {"exited"}
    engine.start(ids[0])
    engine.kill(ids[0], "KILL")
    engine.remove(*ids)
    engine.remove(*ids)


def test_an_engine_that_hangs_or_ends_is_lost(docker: DockerEngine) -> None:
    id_ = docker.run()
    with connected(docker.host) as engine:
        engine._client.timeout = 1
        with (
            docker.frozen(),
            pytest.raises(EngineLost, match="does not answer during the list of containers"),
        ):
            engine.containers("shop")
        engine._client.timeout = 60
        failures: list[BaseException] = []

        def work() -> None:
            try:
                engine.execute(id_, ["sleep", "100"], seconds=100)
            except BaseException as error:  # noqa: BLE001 - checked below
                failures.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(1)
        docker.stop()
        thread.join(30)
        docker.start()
        assert [type(error) for error in failures] == [EngineLost]
