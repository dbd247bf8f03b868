"""The engine is found where the `docker` command finds it; that command creates the contexts."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.catalog.planning.plan import Endpoint
from exporter.catalog.planning.specs import TlsSpec
from exporter.containers import endpoint as endpoint_module
from exporter.containers.endpoint import EndpointError, resolve_endpoint
from tests.components import require
from tests.probes.certificates import Authority

if TYPE_CHECKING:
    from collections.abc import Callable

    Contexts = Callable[..., dict[str, str]]


@pytest.fixture
def contexts(tmp_path: Path) -> Contexts:
    """Return a function that creates a context like `docker context create NAME --docker ENDPOINT` and returns an
    environment with it."""
    environ = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}

    def create(name: str, described: str, *, use: bool = False) -> dict[str, str]:
        docker = require("docker")
        for command in (["create", name, "--docker", described], *([["use", name]] if use else [])):
            subprocess.run([docker, "context", *command], env=environ, check=True, capture_output=True)
        return environ

    return create


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """Create a folder for DOCKER_CERT_PATH."""
    authority = Authority(tmp_path)
    issued = authority.issue("client")
    folder = tmp_path / "certificates"
    folder.mkdir()
    authority.ca_file.rename(folder / "ca.pem")
    issued.cert.rename(folder / "cert.pem")
    issued.key.rename(folder / "key.pem")
    return folder


def spec_of(folder: Path, *, verify: bool = True) -> TlsSpec:
    return TlsSpec(
        verify=verify,
        ca_file=f"{folder}/ca.pem",
        certificate_file=f"{folder}/cert.pem",
        key_file=f"{folder}/key.pem",
    )


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("unix:///run/a.sock", Endpoint("unix:///run/a.sock", socket="/run/a.sock")),
        (
            "tcp://docker.example:1234",
            Endpoint("tcp://docker.example:1234", host="docker.example", port=1234),
        ),
        ("tcp://docker.example", Endpoint("tcp://docker.example:2375", host="docker.example", port=2375)),
        ("tcp://[::1]:2375/", Endpoint("tcp://[::1]:2375", host="::1", port=2375)),
        ("http://10.0.0.1:80", Endpoint("tcp://10.0.0.1:80", host="10.0.0.1", port=80)),
        ("10.0.0.1:2375", Endpoint("tcp://10.0.0.1:2375", host="10.0.0.1", port=2375)),
        ("https://d:1", Endpoint("tcp://d:1", host="d", port=1, tls=TlsSpec())),
        ("https://d", Endpoint("tcp://d:2376", host="d", port=2376, tls=TlsSpec())),
    ],
)
def test_addresses(address: str, found: Endpoint, tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    assert resolve_endpoint(address, environ) == found
    assert resolve_endpoint(None, {**environ, "DOCKER_HOST": address}) == found


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("ssh://me@host", "forward its socket with `ssh -N -L"),
        ("npipe:////./pipe/docker_engine", "named pipe of Windows; write tcp://"),
        ("/var/run/docker.sock", "is a path without a scheme; write unix:///PATH"),
        ("unix://docker.sock", "is not the absolute path of a socket"),
        ("fd://", "is not an address of a Docker engine; write unix:///PATH or tcp://HOST:PORT"),
        ("tcp://", "has no valid host or port"),
        ("tcp://host:port", "has no valid host or port"),
        ("tcp://host:70000", "has no valid host or port"),
        ("tcp://me:hunter2@host:1", "has a user or password"),
        ("tcp://host:1/prefix", "has something after its port"),
    ],
)
def test_addresses_that_cannot_be_used(address: str, complaint: str) -> None:
    with pytest.raises(EndpointError, match=r"^DOCKER_HOST ") as error:
        resolve_endpoint(None, {"DOCKER_HOST": address})
    assert complaint in str(error.value)
    assert "hunter2" not in str(error.value)


def test_the_first_that_says_something_wins(contexts: Contexts) -> None:
    environ = contexts("one", "host=unix:///one.sock", use=True)
    contexts("two", "host=unix:///two.sock")
    everything = {**environ, "DOCKER_HOST": "unix:///host.sock", "DOCKER_CONTEXT": "two"}
    assert resolve_endpoint("unix:///catalog.sock", everything).socket == "/catalog.sock"
    assert resolve_endpoint(None, everything).socket == "/host.sock"
    del everything["DOCKER_HOST"]
    assert resolve_endpoint(None, everything).socket == "/two.sock"
    assert resolve_endpoint(None, environ).socket == "/one.sock"
    assert resolve_endpoint(None, {**environ, "DOCKER_CONTEXT": "default"}).socket == "/var/run/docker.sock"


def test_a_context_without_a_configuration_file(contexts: Contexts, tmp_path: Path) -> None:
    environ = contexts("one", "host=tcp://docker.example:2375")
    assert not (tmp_path / ".docker/config.json").exists()
    found = resolve_endpoint(None, {**environ, "DOCKER_CONTEXT": "one"})
    assert found == Endpoint("tcp://docker.example:2375", host="docker.example", port=2375)


@pytest.mark.parametrize("files", [("ca", "cert", "key"), ("ca",), ("cert", "key")])
@pytest.mark.parametrize("verify", [True, False])
def test_tls_of_a_context(
    contexts: Contexts, certificates: Path, files: tuple[str, ...], verify: bool
) -> None:
    described = "".join(f",{name}={certificates}/{name}.pem" for name in files)
    skip = "" if verify else ",skip-tls-verify=true"
    environ = contexts("secured", f"host=tcp://docker.example{described}{skip}", use=True)
    found = resolve_endpoint(None, environ)
    assert (found.host, found.port) == ("docker.example", 2376)
    assert found.tls is not None
    assert found.tls.verify is verify
    kept = (found.tls.ca_file, found.tls.certificate_file, found.tls.key_file)
    for name, path in zip(("ca", "cert", "key"), kept, strict=True):
        assert (path is not None) == (name in files)
        if path is not None:
            assert Path(path).read_text() == (certificates / f"{name}.pem").read_text()


def test_a_context_over_ssh(contexts: Contexts) -> None:
    environ = contexts("far", "host=ssh://me@host", use=True)
    with pytest.raises(EndpointError, match="the Docker context far begins with ssh://"):
        resolve_endpoint(None, environ)


def test_a_context_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(
        EndpointError,
        match=r"the Docker context gone does not exist in .*; for a list, run: docker context ls",
    ):
        resolve_endpoint(None, {"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "gone"})


@pytest.mark.parametrize("text", ["{broken", "[]", '{"currentContext": 1}'])
def test_a_broken_configuration_leads_to_no_other_engine(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(EndpointError, match=r"config\.json"):
        resolve_endpoint(None, {"DOCKER_CONFIG": str(tmp_path)})


def test_tls_of_the_environment(certificates: Path) -> None:
    environ = {"DOCKER_CERT_PATH": str(certificates), "DOCKER_HOST": "tcp://docker.example"}
    assert resolve_endpoint(None, environ).tls is None, "must be as in the docker command"
    verified = resolve_endpoint(None, {**environ, "DOCKER_TLS_VERIFY": "1"})
    assert verified == Endpoint(
        "tcp://docker.example:2376", host="docker.example", port=2376, tls=spec_of(certificates)
    )
    unverified = resolve_endpoint(None, {**environ, "DOCKER_TLS": "1"})
    assert unverified.tls == spec_of(certificates, verify=False)
    assert resolve_endpoint("unix:///a.sock", {**environ, "DOCKER_TLS_VERIFY": "1"}).tls is None


def test_tls_of_the_environment_that_cannot_be(certificates: Path) -> None:
    environ = {"DOCKER_CERT_PATH": str(certificates), "DOCKER_TLS_VERIFY": "1"}
    with pytest.raises(EndpointError, match="begins with http://, but DOCKER_TLS_VERIFY"):
        resolve_endpoint("http://docker.example:2375", environ)
    (certificates / "key.pem").unlink()
    with pytest.raises(EndpointError, match=r"key\.pem is missing"):
        resolve_endpoint("tcp://docker.example", environ)
    (certificates / "ca.pem").unlink()
    (certificates / "cert.pem").unlink()
    with pytest.raises(EndpointError, match=r"ca\.pem is missing; see DOCKER_CERT_PATH"):
        resolve_endpoint("tcp://docker.example", environ)


def test_the_rootless_engine_where_there_is_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = tmp_path / "usual.sock"
    monkeypatch.setattr(endpoint_module, "USUAL_SOCKET", str(usual))
    environ = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    assert resolve_endpoint(None, environ).socket == str(usual), (
        "must be the usual path while neither socket exists"
    )
    with socket.socket(socket.AF_UNIX) as rootless, socket.socket(socket.AF_UNIX) as rootful:
        rootless.bind(str(tmp_path / "docker.sock"))
        assert resolve_endpoint(None, environ).socket == str(tmp_path / "docker.sock")
        rootful.bind(str(usual))
        assert resolve_endpoint(None, environ).socket == str(usual)
