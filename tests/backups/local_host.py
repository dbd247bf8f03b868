"""A Host for the backup engines without Docker: commands of containers run locally, with fake store programs.

A fake program is a shell script in `programs`, which comes first in PATH. Every command line is recorded in `ran`.
"""

from __future__ import annotations

import os
import subprocess
import threading
from typing import TYPE_CHECKING

from exporter.backups.engines.shape import Ended, Mount, Place, Readable, Writable
from exporter.backups.steps import Steps
from exporter.backups.subjects import Subject

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pytest


def written_answers(folder: Path, monkeypatch: pytest.MonkeyPatch, answers: Mapping[str, str]) -> Path:
    """Write the answers of a fake client to files, and let it find them. Return their folder."""
    place = folder / "answers"
    place.mkdir()
    for name, answer in answers.items():
        (place / name).write_text(answer)
    monkeypatch.setenv("ANSWERS", str(place))
    return place


class LocalHost:
    """A Host on this machine. `secrets` is used as /run/secrets; `volumes` maps each volume to the folder used for
    it."""

    def __init__(self, folder: Path) -> None:
        self.programs = folder / "programs"
        self.programs.mkdir(parents=True)
        self.secrets = folder / "secrets"
        self.secrets.mkdir()
        self.ran: list[list[str]] = []
        self.volumes: dict[str, Path] = {}
        self.found_mounts: tuple[Mount, ...] = ()
        self.running = True
        self.acts: list[str] = []

    def program(self, name: str, text: str) -> None:
        """Add a fake program."""
        place = self.programs / name
        place.write_text(f"#!/bin/sh\n{text}\n")
        place.chmod(0o755)

    def execute(
        self,
        container: str,  # noqa: ARG002 - there is only one
        argv: Sequence[str],
        *,
        source: Readable | None = None,
        target: Writable | None = None,
        seconds: float,
    ) -> Ended:
        """Run a program here."""
        argv = [word.replace("/run/secrets", str(self.secrets)) for word in argv]
        self.ran.append(argv)
        process = subprocess.Popen(
            argv,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PATH": f"{self.programs}:{os.environ['PATH']}"},
        )
        assert process.stdin
        assert process.stdout
        assert process.stderr
        stdin = process.stdin

        def feed() -> None:
            try:
                while source and (piece := source.read(65536)):
                    stdin.write(piece)
                stdin.close()
            except BrokenPipeError:
                pass

        feeder = threading.Thread(target=feed, daemon=True)
        feeder.start()
        timer = threading.Timer(seconds, process.kill)
        timer.start()
        try:
            while piece := process.stdout.read(65536):
                if target:
                    target.write(piece)
            said = process.stderr.read()
            return Ended(process.wait(10), said[-65536:])
        finally:
            timer.cancel()
            process.kill()
            process.stdout.close()
            process.stderr.close()
            process.wait(10)

    def throw_away(
        self,
        argv: Sequence[str],
        *,
        image: str,  # noqa: ARG002 - no image is needed
        mounts: Sequence[Mount] = (),
        user: str = "0:0",  # noqa: ARG002
        capabilities: Sequence[str] | None = None,  # noqa: ARG002
        source: Readable | None = None,
        target: Writable | None = None,
        seconds: float,
    ) -> Ended:
        """Run a program here, with mount targets replaced by their sources."""
        words = list(argv)
        for mount in mounts:
            real = str(self.volumes.get(mount.source, mount.source))
            words = [word.replace(mount.target, real) for word in words]
        return self.execute("", words, source=source, target=target, seconds=seconds)

    def is_running(self, container: str) -> bool:  # noqa: ARG002
        """True unless a test says otherwise."""
        return self.running

    def image(self, container: str) -> str:  # noqa: ARG002
        """Return any name."""
        return "store:1"

    def user(self, container: str) -> str:  # noqa: ARG002
        """Return root."""
        return ""

    def mounts(self, container: str) -> tuple[Mount, ...]:  # noqa: ARG002
        """Return the mounts that the test sets."""
        return self.found_mounts

    def start(self, container: str) -> None:
        """Record the start."""
        self.acts.append(f"start {container}")

    def stop(self, container: str) -> None:
        """Record the stop."""
        self.acts.append(f"stop {container}")


def place_of(host: LocalHost, engine: str, said: list[str] | None = None, **more: object) -> Place:
    """Return the place of a store named `till` in a container."""
    subject = Subject("till", "store", 2, engine, port=6379, service="till", user="postgres")
    steps = Steps((said if said is not None else []).append)
    return Place(subject, host, steps, container="c0ffee", user="postgres", **more)  # type: ignore[arg-type]
