"""An environment on another host: the scripts connect by ssh, copy the catalog and the generated files, and run
there.

The other host is this machine behind a real sshd on loopback. sshd's SetEnv and .env give its logins another engine
and other folders.
"""

from __future__ import annotations

import getpass
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.components import require
from tests.docker_engine import IMAGE, DockerEngine
from tests.system.application import generate
from tests.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(200)

CATALOG = """
project: shop
services:
  web:
    image: {image}
    command: [httpd, -f, -p, "8080", -h, /run/secrets]
    port: 8080
    host_port: {port}
    probes: [{{name: page, http: {{path: /token}}}}]
    secrets: [token]
secrets: {{token: {{}}}}
backup: {{encrypt: {{recipient_file: ./a key/backup.pub}}}}
environments:
  live:
    docker_host: "ssh://{user}@127.0.0.1:{ssh}"
    address: "127.0.0.1:{port}"
    publish: all
    verify: {{deadline: 20s}}
"""
VALUE = 'it\'s a "$HOME" `value`'
STATE = 'the state\'s "$folder"'


class OtherHost:
    """A user's local folder, and a host at the other end of ssh."""

    def __init__(self, folder: Path, engine: DockerEngine, tcp: str) -> None:
        self.engine = engine
        self.tcp = tcp
        self.site = folder / "a person's site"
        self.state = folder / STATE
        self._port = free_port()
        self._folder = folder
        self._sshd: subprocess.Popen[bytes] | None = None
        (self.site / "a key").mkdir(parents=True)
        (self.site / "a key/backup.pub").write_text("age1")
        catalog = CATALOG.format(image=IMAGE, port=free_port(), user=getpass.getuser(), ssh=self._port)
        (self.site / "config.yaml").write_text(catalog)
        generate(self.site / "config.yaml", self.site)
        # Without the monitoring stack, whose images are made in another test.
        deploy = self.site / "deploy/live"
        (deploy / "compose.monitoring.yaml").unlink()
        exporter = Path(sys.executable).with_name("exporter")
        (deploy / ".env").write_text(
            f"STATE_FOLDER={self.state}\nSECRETS_FOLDER={folder}/secrets\nEXPORTER={exporter}\n"
        )

    def __enter__(self) -> OtherHost:
        for name in ("host", "person"):
            command = [require("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(self._folder / name)]
            subprocess.run(command, check=True)
        host_key = (self._folder / "host.pub").read_text()
        (self._folder / "known").write_text(f"[127.0.0.1]:{self._port} {host_key}")
        (self._folder / "client").write_text(
            f"IdentityFile {self._folder}/person\nUserKnownHostsFile {self._folder}/known\nBatchMode yes\n"
        )
        (self._folder / "server").write_text(
            f"ListenAddress 127.0.0.1:{self._port}\nHostKey {self._folder}/host\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {self._folder}/person.pub\nStrictModes no\nPermitRootLogin yes\n"
            f'SetEnv DOCKER_HOST={self.engine.host} "PATH=/usr/bin:{os.environ["PATH"]}"\n'
        )
        Path("/run/sshd").mkdir(exist_ok=True)
        self._sshd = subprocess.Popen([require("sshd"), "-D", "-f", str(self._folder / "server")])
        ssh = self._folder / "bin/ssh"
        ssh.parent.mkdir()
        ssh.write_text(f'#!/bin/sh\nexec {require("ssh")} -F {self._folder}/client "$@"\n')
        ssh.chmod(0o755)
        until(lambda: self._answers(ssh), "sshd")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Make the host unreachable."""
        if self._sshd:
            self._sshd.terminate()
            self._sshd.wait(10)
            self._sshd = None

    def script(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a script as the user does, on the machine without an engine and without the exporter."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
        path = f"{self._folder}/bin:{os.environ['PATH']}"
        return subprocess.run(
            [self.site / f"scripts/{name}.sh", "live", *arguments],
            env={**environment, "PATH": path, "DOCKER_HOST": "unix:///nowhere.sock", "TAG": ""},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
        )

    def _answers(self, ssh: Path) -> bool:
        command = [str(ssh), f"ssh://{getpass.getuser()}@127.0.0.1:{self._port}", "true"]
        return subprocess.run(command, capture_output=True).returncode == 0


@pytest.fixture
def host() -> Iterator[OtherHost]:
    with (
        tempfile.TemporaryDirectory(prefix="far-") as folder,
        tempfile.TemporaryDirectory(prefix="docker-") as place,
        DockerEngine(Path(place), f"--host={(tcp := f'tcp://127.0.0.1:{free_port()}')}") as engine,
        OtherHost(Path(folder), engine, tcp) as host,
    ):
        yield host
        engine.remove_all()


def test_a_release_goes_to_the_host_that_the_catalog_names(host: OtherHost) -> None:
    value = host.site / "a 'value'"
    value.write_text(VALUE)
    missing = host.script("deploy", "--tag", "v1")
    assert missing.returncode == 1
    assert "the secret token is not at" in missing.stderr
    made = host.script("secrets", "create", "token", "--from-file", str(value))
    assert made.returncode == 0, made.stderr
    assert VALUE not in made.stdout + made.stderr

    done = host.script("deploy", "--tag", "v1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert host.engine.docker("ps", "--quiet", "--filter", "name=web")
    status = json.loads(host.script("status", "--json").stdout)
    assert (status["tag"], [each["state"] for each in status["containers"]]) == ("v1", ["running"])
    [record] = [json.loads(line) for line in (host.state / "deploys.jsonl").read_text().splitlines()]
    assert record["who"].startswith(f"{getpass.getuser()}@")

    # Each run has its own folder, and only some are kept.
    sites = host.state / "sites"
    for number in range(11):
        (sites / f"20250101T0000{number:02d}Z-eve-1").mkdir()
        os.utime(sites / f"20250101T0000{number:02d}Z-eve-1", (number, number))
    text = host.script("status")
    assert text.returncode == 0, text.stdout + text.stderr
    assert "everything matches the catalog" in text.stdout
    assert (sites / "current/config.yaml").read_text() == (host.site / "config.yaml").read_text()
    assert (sites / "current/a key/backup.pub").read_text() == "age1"
    assert len([path for path in sites.iterdir() if path.is_dir() and not path.is_symlink()]) == 10

    built = host.script("deploy", "--tag", "v2", "--build")
    assert built.returncode == 2
    assert "which does not have the sources" in built.stderr

    host.stop()
    gone = host.script("deploy", "--tag", "v1")
    assert gone.returncode == 1
    assert "nothing was done: the files cannot be copied" in gone.stderr


def test_an_engine_elsewhere_that_is_not_reached_by_ssh_is_refused(host: OtherHost) -> None:
    """Check that an engine reached without ssh is refused: its containers would mount files that do
    not exist there."""
    catalog = host.site / "config.yaml"
    lines = catalog.read_text().splitlines()
    [place] = [number for number, line in enumerate(lines) if "docker_host" in line]
    lines[place] = f'    docker_host: "{host.tcp}"'
    catalog.write_text("\n".join(lines))
    generate(catalog, host.site)
    (host.site / "deploy/live/compose.monitoring.yaml").unlink()
    done = host.script("deploy", "--tag", "v1")
    assert done.returncode == 1
    assert f"the engine at {host.tcp} is on another host" in done.stderr
    assert not host.state.exists()
