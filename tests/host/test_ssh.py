"""Commands sent to another host: the words without local paths, and the files that they need."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from exporter.host.site import HANDED_OVER
from exporter.host.ssh import is_elsewhere, packed, quoted, there
from exporter.host.ssh_scripts import COMMAND, UNPACK
from tests.components import require
from tests.host.places import CATALOG, make_site

ARGUMENTS = {
    ("status", "-e", "far", "--json"): ("status", "--json"),
    ("status", "-efar", "--config=c.yaml", "-c", "d.yaml", "--root", "/x"): ("status",),
    ("deploy", "--environment=far", "web", "--tag", "v1"): ("deploy", "web", "--tag", "v1"),
    ("compose", "-e", "far", "--", "exec", "-e", "A=b", "web", "sh", "-c", "id"): (
        *("compose", "--", "exec", "-e", "A=b", "web", "sh", "-c", "id"),
    ),
}


@pytest.mark.parametrize(("arguments", "words"), ARGUMENTS.items())
def test_places_of_this_host_stay_here(arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    assert there(arguments) == ([*words], None)


@pytest.mark.parametrize("given", [("--from-file", "a b"), ("--from-file=a b",)])
def test_a_file_of_this_host_goes_along_as_input(given: tuple[str, ...]) -> None:
    words, file = there(("secrets", "create", "token", *given))
    assert words == ["secrets", "create", "token", "--from-file", "-"]
    assert file == Path("a b")
    assert there(("secrets", "create", "--from-file", "-")) == (
        ["secrets", "create", "--from-file", "-"],
        None,
    )


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_any_shell_gives_the_words_back(shell: str) -> None:
    words = ["a b", "it's", "$(id)", "`id`", "", "*", "\\", "a\nb", '"']
    said = subprocess.run(
        [shell, "-c", f"printf '%s\\0' {quoted(words)}"], capture_output=True, check=True, text=True
    ).stdout
    assert said.split("\0")[:-1] == words


def test_what_goes_along(tmp_path: Path) -> None:
    catalog = CATALOG + "backup: {encrypt: {recipient_file: ./a key/backup.pub}}\n"
    (tmp_path / "a key").mkdir()
    (tmp_path / "a key/backup.pub").write_text("age1")
    site = make_site(tmp_path, "far", catalog)
    assert is_elsewhere(site)
    assert not is_elsewhere(make_site(tmp_path / "other"))
    with packed(site) as stream, tarfile.open(fileobj=stream) as archive:
        names = set(archive.getnames())
    assert {
        HANDED_OVER,
        "config.yaml",
        "a key/backup.pub",
        "deploy/far/compose.yaml",
        "deploy/far/.env",
    } <= names
    assert "scripts/status.sh" in names
    assert not any(name.startswith(("deploy/staging", "state", "secrets")) for name in names)


def test_the_daemons_key_elsewhere_is_the_hosts(tmp_path: Path) -> None:
    for path in ("/etc/key.pub", "../key.pub"):
        site = make_site(
            tmp_path / "s", "far", CATALOG + f"backup: {{encrypt: {{recipient_file: {path}}}}}\n"
        )
        (tmp_path / "key.pub").touch()
        with packed(site) as stream, tarfile.open(fileobj=stream) as archive:
            assert not any("key.pub" in name for name in archive.getnames())


DOCKER = """#!/bin/sh
if [ "$1" = image ]; then [ -n "$HAS_IMAGE" ]; exit; fi
for word in "$@"; do echo "<$word>"; done
exit 9
"""
EXPORTER = """#!/bin/sh
if [ "$1" = version ]; then echo "$VERSION"; exit; fi
for word in "$@"; do echo "<$word>"; done
exit 7
"""
WORDS = ("compose", "--", "exec", "web", "sh", "-c", "echo 'a b' $(id)")


def on_the_host(tmp_path: Path, exporter: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the host's part in a POSIX shell, with programs that report how they were called."""
    for name, text in (("docker", DOCKER), ("exporter", EXPORTER)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return subprocess.run(
        [
            "sh",
            "-c",
            COMMAND,
            "sh",
            exporter,
            "0.1",
            "shop/exporter:0.1",
            "/var/lib/a b\n/var/backups",
            *WORDS,
        ],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "VERSION": "0.1.7", **variables},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def test_the_hosts_own_command_is_run(tmp_path: Path) -> None:
    done = on_the_host(tmp_path, "exporter")
    assert (done.returncode, done.stdout.splitlines()) == (7, [f"<{word}>" for word in WORDS])


def test_where_the_command_is_not_installed_its_image_is_run(tmp_path: Path) -> None:
    done = on_the_host(tmp_path, "/nowhere/exporter", HAS_IMAGE="1")
    assert done.returncode == 9, done.stderr
    words = [line[1:-1] for line in done.stdout.splitlines()]
    assert words[:2] == ["run", "--rm"]
    at = words.index("shop/exporter:0.1")
    assert words[at + 1 :] == ["-c", 'exec python -m exporter "$@"', "sh", *WORDS]
    volumes = [words[index + 1] for index, word in enumerate(words[:at]) if word == "--volume"]
    assert {"/var/lib/a b:/var/lib/a b", "/var/backups:/var/backups"} <= set(volumes)
    assert "/var/run/docker.sock:/var/run/docker.sock" in volumes
    assert "--tty" not in words


@pytest.mark.parametrize(
    ("exporter", "version", "sentence"),
    [
        (
            "/nowhere/exporter",
            "",
            "the command /nowhere/exporter does not work there, and there is no image shop/exporter:0.1",
        ),
        ("exporter", "0.2.0", "exporter 0.2.0 is installed there, but 0.1 here"),
        ("exporter", "0.10.0", "exporter 0.10.0 is installed there, but 0.1 here"),
    ],
)
def test_a_host_that_does_not_fit_is_refused(
    tmp_path: Path, exporter: str, version: str, sentence: str
) -> None:
    done = on_the_host(tmp_path, exporter, VERSION=version)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("script", [COMMAND, UNPACK])
def test_the_hosts_part_is_clean(script: str, tmp_path: Path) -> None:
    file = tmp_path / "script"
    file.write_text("#!/bin/sh\n" + script.replace("exec docker run $options", "exec docker run"))
    command = [require("shellcheck"), "--exclude=SC2010,SC2012,SC2034", str(file)]
    subprocess.run(command, check=True)
