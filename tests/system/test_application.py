"""The main promise: from one catalog a complete application runs, is watched, and is closed to unauthorised access.

application.py describes what runs and what is replaced by a substitute.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.catalog.loading import load_catalog
from tests.components import compose_2, require
from tests.outputs.catalogs import ENVIRONMENTS, EXAMPLE
from tests.system.application import OURS, RUNNING, SECRETS, STORES, Application, generate
from tests.system.application_images import import_images
from tests.system.building import own_environment
from tests.system.separate_engine import SeparateEngine
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(400)

_PROCESS = re.compile(r"^(Name|Uid|CapEff|NoNewPrivs):\s+(.*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def application() -> Iterator[Application]:
    with (
        tempfile.TemporaryDirectory(prefix="app-") as folder,  # must be short: it holds sockets
        tempfile.TemporaryDirectory() as images,
        tempfile.TemporaryDirectory() as site,
        SeparateEngine(Path(folder)) as engine,
    ):
        import_images(engine, Path(images))
        application = Application(Path(site), engine)
        application.generate()
        said = application.make_secrets()
        assert not [name for name in SECRETS if application.secret(name) in said]
        application.build()
        try:
            application.up()
            yield application
        finally:
            engine.remove_all()
            application.down()


def test_every_health_check_turns_healthy(application: Application) -> None:
    assert set(application.containers()) == set(RUNNING)

    def health() -> dict[str, str]:
        states = {name: each["State"] for name, each in application.containers().items()}
        return {name: state.get("Health", {}).get("Status", "none") for name, state in states.items()}

    try:
        until(lambda: set(health().values()) == {"healthy"}, "all to be healthy", 90)
    except AssertionError as error:
        raise AssertionError(f"{error}; they are {health()}") from None


def test_a_request_passes_the_gateway_and_reaches_every_store(application: Application) -> None:
    first, second = (json.loads(application.ask("/visits")) for _ in range(2))
    assert first.keys() == {"postgresql", "redis", "sqlite"}
    # At least one more, because the health checks count too.
    assert all(second[store] > first[store] > 0 for store in first)


def test_the_daemon_beside_it_sees_all_of_it(application: Application) -> None:
    def services() -> dict[str, dict[str, Any]]:
        said = json.loads(application.exporter("/api/v1/services"))
        return {service["name"]: service for service in said["services"]}

    def states() -> dict[str, str]:
        return {
            name: f"{service['state']} {service['detail']}".strip() for name, service in services().items()
        }

    expected = dict.fromkeys(("web", "api", "db", "cache", "drafts"), "up")
    try:
        until(lambda: states() == expected, "all to be up", 60)
    except AssertionError as error:
        raise AssertionError(f"{error}; they are {states()}") from None
    found = services()
    protocols = {name: [probe["protocol"] for probe in found[name]["probes"]] for name in expected}
    assert protocols == {
        "web": ["http"],
        "api": ["http"],
        "db": ["postgresql"],
        "cache": ["redis"],
        "drafts": ["sqlite"],
    }
    for name in ("web", "api", "db", "cache"):
        assert len(found[name]["containers"]) == 1, name


def test_a_deploy_can_be_verified_from_inside_its_networks(application: Application) -> None:
    """Run the command in lib.sh, which sends the catalog's probes from inside the networks, where container names
    resolve."""
    names = ("web", "api", "db", "cache", "drafts")
    once = ("run", "--rm", "--no-deps", "-T", "exporter", "check", "--json", "--deadline", "30")
    said = json.loads(application.compose(*once, *names))
    assert said["healthy"], said
    assert {probe["service"] for probe in said["probes"]} == set(names)


def test_containers_are_read_from_the_files_of_the_kernel(application: Application) -> None:
    def measured(name: str) -> dict[str, float]:
        """Return the samples of a metric, by their labels."""
        found = re.findall(rf"(?m)^{name}(?:{{(.*)}})? (\S+)$", application.exporter("/metrics"))
        return {labels: float(value) for labels, value in found}

    read = 'source="cgroup"'
    until(
        lambda: measured("exporter_containers").get(read, 0) >= len(RUNNING), "all to be read from files", 60
    )
    assert measured("exporter_docker_up") == {"": 1}
    memory = measured("container_memory_working_set_bytes")
    for name in OURS:
        label = f'container_label_com_docker_compose_service="{name}"'
        assert [value for labels, value in memory.items() if label in labels and value > 0], name


@pytest.fixture
def edge(application: Application) -> Iterator[str]:
    """Run a container that is only on the network edge."""
    container = application.engine.run("--network", f"{application.project}_edge")
    yield container
    application.engine.remove(container)


@pytest.mark.parametrize("store", STORES)
def test_a_store_is_out_of_reach_from_the_edge(application: Application, edge: str, store: str) -> None:
    def opens(container: str, host: str, port: int) -> bool:
        """True if a connection can be opened."""
        return application.execute(container, "nc", "-w", "2", host, str(port)).returncode == 0

    address, port = application.address(store, "stores"), STORES[store]
    # The gateway and a service that depends on no store are on this network, too.
    for container in (edge, application.container("gateway"), application.container("web")):
        assert not opens(container, address, port)
        assert not opens(container, store, port)
    for container in (application.container("api"), application.container("exporter")):
        assert opens(container, address, port)
        assert opens(container, store, port)
    # Positive check: open names and addresses do work at the edge.
    assert opens(edge, "web", 8000)
    assert opens(edge, application.address("web", "edge"), 8000)
    assert not opens(edge, "api", 8000)


@pytest.mark.parametrize("service", OURS)
def test_a_container_has_nothing_that_it_does_not_need(application: Application, service: str) -> None:
    said = application.inside(service, "sh", "-c", "cat /proc/[0-9]*/status").stdout
    found = [dict(_PROCESS.findall(status)) for status in re.split(r"(?m)^(?=Name:)", said) if status]
    assert found
    for process in found:
        assert "0" not in process["Uid"].split(), process
        assert int(process["CapEff"], 16) == 0, process
        assert process["NoNewPrivs"] == "1", process
    for folder in ("/", "/etc", "/usr"):
        tried = application.inside(service, "touch", f"{folder}/written")
        assert tried.returncode != 0
        assert "Read-only file system" in tried.stderr


def test_the_filter_of_the_engine_is_root_without_its_powers(application: Application) -> None:
    status = dict(_PROCESS.findall(application.inside("docker-proxy", "cat", "/proc/1/status").stdout))
    assert int(status["CapEff"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert "Read-only file system" in application.inside("docker-proxy", "touch", "/written").stderr


def test_no_secret_is_anywhere_but_in_its_file(application: Application) -> None:
    engine = application.engine
    ids = engine.docker("ps", "--all", "--quiet").split()
    places = {f"container {name}": json.dumps(each) for name, each in application.containers().items()}
    places |= {f"log of {name}": application.compose("logs", "--no-color", name) for name in RUNNING}
    places |= {f"processes of {name}": engine.docker("top", name, "-eo", "pid,args") for name in ids}
    for kind, listed in (
        ("image", ("image", "ls")),
        ("network", ("network", "ls")),
        ("volume", ("volume", "ls")),
    ):
        names = engine.docker(*listed, "--quiet").split()
        places[kind] = engine.docker(kind, "inspect", *names)
    places |= {
        str(path): path.read_text()
        for part in ("deploy", "scripts")
        for path in (application.folder / part).rglob("*")
        if path.is_file()
    }
    places["config"] = application.compose("config")
    places["metrics"] = application.exporter("/metrics") + application.exporter("/api/v1/services")
    for name in SECRETS:
        value = application.secret(name)
        assert len(value) >= 32
        assert not [place for place, text in places.items() if value in text], name


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the example's files, with the source folders that docker-compose 1.29 looks for."""
    root = tmp_path_factory.mktemp("example")
    generate(EXAMPLE, root)
    for environment in ENVIRONMENTS:
        for service in load_catalog(EXAMPLE, environment).services.values():
            if service.build:
                (root / service.build.context).mkdir(parents=True, exist_ok=True)
    return root / "deploy"


FILES = ("compose.yaml", "compose.monitoring.yaml")


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_both_versions_of_compose_take_every_environment(
    example: Path, environment: str, version: int
) -> None:
    folder = example / environment
    options = [part for name in FILES for part in ("-f", str(folder / name))]
    # Version 1 also lists services with a profile, version 2 only on request.
    program = [require("docker-compose")] if version == 1 else [compose_2(), "--profile", "gateway"]
    done = subprocess.run(
        [*program, "-p", f"pageforge-{environment}", *options, "config"],
        env={**own_environment(), "TAG": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    together = yaml.safe_load(done.stdout)["services"]
    apart = [yaml.safe_load((folder / name).read_text())["services"] for name in FILES]
    assert together.keys() == apart[0].keys() | apart[1].keys()


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_files_are_what_the_schema_of_compose_allows(example: Path, environment: str) -> None:
    judge = [
        str(Path(sys.executable).with_name("check-jsonschema")),
        "--builtin-schema",
        "vendor.compose-spec",
    ]
    judged = [example / environment / name for name in (*FILES, "compose.secrets.swarm.yaml")]
    schema = subprocess.run([*judge, *map(str, judged)], capture_output=True, text=True, timeout=60)
    assert schema.returncode == 0, schema.stdout + schema.stderr
