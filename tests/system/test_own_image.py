"""The daemon's own image, built from the Dockerfile of this repository, and run with all restrictions.

Its base is a substitute for python:3.12-slim (tests/system/base_images.py) with this machine's settings of pip. The
locked dependencies come from the package registry.
"""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.docker_engine import DockerEngine
from tests.system.base_images import PYTHON, import_python
from tests.system.building import build, logs
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(600)

REPOSITORY = Path(__file__).parents[2]
IMAGE = "own"
CATALOG = "project: shop\nservices: {web: {port: 1, probes: [{name: port, tcp: true}]}}\n"
_CA = "/etc/pip-ca.crt"


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    with tempfile.TemporaryDirectory(prefix="own-") as folder, DockerEngine(Path(folder)) as engine:
        import_python(engine, _settings_of_pip())
        built = build(
            *(engine, REPOSITORY, "--network=host", f"--build-arg=BASE={PYTHON}", f"--tag={IMAGE}"),
            *("--build-arg=VERSION=1.2.3", "--build-arg=REVISION=abc"),
            seconds=400,
        )
        assert built.returncode == 0, built.stderr
        yield engine
        engine.remove_all()


def _settings_of_pip() -> dict[str, bytes]:
    """Return the files that let pip reach the registry inside the base as it does here."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    settings = dict(re.findall(r"^(?:global|:env:)\.([a-z-]+)='(.*)'$", said, re.MULTILINE))
    settings.pop("find-links", None)
    authorities = settings.get("cert") or ssl.get_default_verify_paths().cafile
    if authorities is None:
        return {"/etc/pip.conf": _pip_conf(settings)}
    return {_CA: Path(authorities).read_bytes(), "/etc/pip.conf": _pip_conf(settings | {"cert": _CA})}


def _pip_conf(settings: dict[str, str]) -> bytes:
    lines = (f"{name} = {value}" for name, value in settings.items())
    return "\n".join(("[global]", *lines, "")).encode()


def inspect(engine: DockerEngine, kind: str, name: str) -> dict[str, Any]:
    return dict(json.loads(engine.docker(kind, "inspect", name))[0])


def test_what_the_image_says_of_itself(engine: DockerEngine, capsys: pytest.CaptureFixture[str]) -> None:
    image = inspect(engine, "image", IMAGE)
    assert image["Config"]["User"] == "65532:65532"
    assert image["Config"]["Healthcheck"]["Test"] == ["CMD", "python", "-m", "exporter", "healthcheck"]
    assert image["Config"]["Labels"]["org.opencontainers.image.version"] == "1.2.3"
    assert image["Config"]["Labels"]["org.opencontainers.image.revision"] == "abc"
    own = image["Size"] - inspect(engine, "image", PYTHON)["Size"]
    with capsys.disabled():
        print(f"\nthe daemon's image: {own / 1e6:.0f} MB on its base")
    assert own < 150e6


def test_it_is_healthy_without_root_and_without_anything_to_write_to(
    engine: DockerEngine, tmp_path: Path
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(CATALOG)
    container = engine.docker(
        *("run", "--detach", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
        *("--volume", f"{file}:/etc/exporter/config.yaml:ro", IMAGE),
    )

    def health() -> str:
        state = inspect(engine, "container", container)["State"]
        assert state["Running"], logs(engine, container)
        return str(state["Health"]["Status"])

    until(lambda: health() == "healthy", "the daemon to be healthy", 60)
    assert engine.docker("exec", container, "id", "-u") == "65532"
    with pytest.raises(AssertionError, match="Read-only file system"):
        engine.docker("exec", container, "touch", "/opt/exporter/new")
    engine.docker("stop", "--time", "20", container)
    assert inspect(engine, "container", container)["State"]["ExitCode"] == 0


def test_what_ships_has_no_pip_and_cannot_be_changed(engine: DockerEngine) -> None:
    once = ("run", "--rm", "--entrypoint")
    with pytest.raises(AssertionError, match="No module named pip"):
        engine.docker(*once, "python", IMAGE, "-m", "pip", "--version")
    writable = (
        "/opt/exporter",
        "-xdev",
        "(",
        "-perm",
        "-0002",
        "-o",
        "-user",
        "65532",
        ")",
        "!",
        "-type",
        "l",
    )
    assert engine.docker(*once, "find", IMAGE, *writable) == ""
