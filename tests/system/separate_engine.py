"""A Docker engine in a separate network namespace with its own rules: it is independent of the rules of the host and
of other engines, and leaves none behind."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.components import compose_2, require
from tests.docker_engine import DockerEngine

if TYPE_CHECKING:
    from pathlib import Path


class SeparateEngine(DockerEngine):
    """An engine in a separate network namespace, which is removed with it. It sets rules, as a user's engine does."""

    def __init__(self, folder: Path, *options: str) -> None:
        # The last value of an option is used. For names outside its networks no server is queried.
        super().__init__(
            folder, "--iptables=true", "--ip-masq=true", "--bridge=", "--dns=127.0.0.1", *options
        )

    def start(self) -> None:
        programs = self.folder / "programs"
        programs.mkdir(exist_ok=True)
        wrapper = programs / "dockerd"
        loopback = 'ip link set lo up && exec "$@"'
        separate = f"exec {require('unshare')} --net -- sh -c '{loopback}' sh"
        wrapper.write_text(f'#!/bin/sh\n{separate} {require("dockerd")} "$@"\n')
        wrapper.chmod(0o755)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", str(programs), prepend=os.pathsep)
            super().start()

    def on_host(self, *command: str) -> list[str]:
        """Return the command that runs `command` in the namespace, where the engine publishes ports."""
        pid = (self.folder / "pid").read_text().strip()
        return [require("nsenter"), f"--net=/proc/{pid}/ns/net", "--", *command]

    def host_command(self, *command: str) -> str:
        """Return the output of a command in the namespace. If it fails, raise an AssertionError with all output."""
        done = subprocess.run(self.on_host(*command), capture_output=True, text=True, timeout=150)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def client_environment(engine: DockerEngine, compose: int) -> dict[str, str]:
    """Return variables with which the scripts find `engine` and this version of Compose, 1 or 2.

    If Compose 2 is installed for all users, the scripts also use it instead of version 1. The engine's own client
    comes first, which can build without plug-ins.
    """
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "COMPOSE_"))
    }
    config = engine.folder / f"client{compose}"
    config.mkdir(exist_ok=True)
    if compose == 1:
        require("docker-compose")
    else:
        plugins = config / "cli-plugins"
        plugins.mkdir(exist_ok=True)
        plugin = plugins / "docker-compose"
        if not plugin.is_symlink():
            plugin.symlink_to(compose_2())
    return clean | {
        "PATH": os.pathsep.join(("/usr/bin", os.environ["PATH"])),
        "DOCKER_HOST": engine.host,
        "DOCKER_CONFIG": str(config),
    }
