"""The writer: what it writes, keeps, removes and refuses, and that a failure changes nothing."""

from __future__ import annotations

import errno
import json
import os
import pty
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from exporter.outputs.base import File
from exporter.outputs.transaction import Transaction
from exporter.outputs.writer import MANIFEST, State, WriteError, compare, write
from tests.outputs.tables import gen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

A, B, SCRIPT = File("a.yml", "a: 1\n"), File("sub/b.yml", "b: 1\n"), File("run.sh", "#!/bin/sh\n", True)

CATALOG = """
project: shop
services: {web: {image: web, port: 80}}
environments: {testing: {}, production: {}}
"""


def states(folder: Path, *files: File, project: str = "", whole: bool = True) -> dict[str, str]:
    return {change.path: str(change.state) for change in compare(folder, files, project, whole=whole)}


def make(folder: Path, *files: File, project: str = "", whole: bool = True, force: bool = False) -> None:
    write(compare(folder, files, project, whole=whole), project, force=force)


def tree(folder: Path) -> dict[str, str]:
    """Return every file below, without the manifest, for comparison before and after."""
    return {
        str(path.relative_to(folder)): path.read_bytes().decode("utf-8", "replace")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return every file with its mode, including the manifest and hidden files, and empty folders."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    }


def test_new_unchanged_changed_and_gone(tmp_path: Path) -> None:
    assert states(tmp_path, A, B) == {"a.yml": "new", "sub/b.yml": "new"}
    make(tmp_path, A, B)
    assert states(tmp_path, A, B) == {"a.yml": "unchanged", "sub/b.yml": "unchanged"}
    other = File("a.yml", "a: 2\n")
    assert states(tmp_path, other) == {"a.yml": "changed", "sub/b.yml": "stale"}
    make(tmp_path, other)
    assert tree(tmp_path) == {"a.yml": "a: 2\n"}
    assert not (tmp_path / "sub").exists()
    make(tmp_path)
    assert everything(tmp_path) == {}


def test_writing_twice_touches_nothing(tmp_path: Path) -> None:
    make(tmp_path, A, B, SCRIPT)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    make(tmp_path, A, B, SCRIPT)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_an_edited_file_is_kept_unless_forced(tmp_path: Path) -> None:
    make(tmp_path, A)
    (tmp_path / "a.yml").write_text("a: mine\n")
    other = File("a.yml", "a: 2\n")
    assert states(tmp_path, other) == {"a.yml": "edited"}
    make(tmp_path, other)
    assert tree(tmp_path) == {"a.yml": "a: mine\n"}
    make(tmp_path, other, force=True)
    assert tree(tmp_path) == {"a.yml": "a: 2\n"}
    assert states(tmp_path, other) == {"a.yml": "unchanged"}


def test_an_edit_that_the_catalog_has_caught_up_with_is_ours_again(tmp_path: Path) -> None:
    make(tmp_path, A)
    (tmp_path / "a.yml").write_text("a: 2\n")
    make(tmp_path, File("a.yml", "a: 2\n"))
    assert states(tmp_path, File("a.yml", "a: 3\n")) == {"a.yml": "changed"}


def test_a_stale_file_that_was_edited_is_kept_unless_forced(tmp_path: Path) -> None:
    make(tmp_path, A, B)
    (tmp_path / "sub/b.yml").write_text("b: mine\n")
    assert states(tmp_path, A) == {"a.yml": "unchanged", "sub/b.yml": "stale, edited"}
    make(tmp_path, A)
    assert tree(tmp_path) == {"a.yml": "a: 1\n", "sub/b.yml": "b: mine\n"}
    assert states(tmp_path, A)["sub/b.yml"] == "stale, edited"
    make(tmp_path, A, force=True)
    assert tree(tmp_path) == {"a.yml": "a: 1\n"}


def test_a_stale_file_that_somebody_removed_is_forgotten(tmp_path: Path) -> None:
    make(tmp_path, A, B)
    (tmp_path / "sub/b.yml").unlink()
    assert states(tmp_path, A) == {"a.yml": "unchanged"}
    make(tmp_path, A)
    assert tree(tmp_path) == {"a.yml": "a: 1\n"}


def test_files_of_others_are_never_touched(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/notes.txt").write_text("mine")
    (tmp_path / "a.yml").write_text("mine, too")
    assert states(tmp_path, A, B) == {"a.yml": "edited", "sub/b.yml": "new"}
    make(tmp_path, A, B)
    make(tmp_path)
    assert tree(tmp_path) == {"a.yml": "mine, too", "sub/notes.txt": "mine"}


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_modes(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        make(tmp_path, A, SCRIPT)
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("a.yml", "run.sh", MANIFEST)] == [
        0o644,
        0o755,
        0o644,
    ]


def test_a_lost_executable_bit_is_a_change(tmp_path: Path) -> None:
    make(tmp_path, SCRIPT)
    (tmp_path / "run.sh").chmod(0o644)
    assert states(tmp_path, SCRIPT) == {"run.sh": "changed"}
    make(tmp_path, SCRIPT)
    assert os.access(tmp_path / "run.sh", os.X_OK)


def test_a_diff_shows_both_sides_whatever_their_bytes(tmp_path: Path) -> None:
    make(tmp_path, A)
    (tmp_path / "a.yml").write_bytes(b"a: \xff")
    [change] = compare(tmp_path, [A])
    assert change.diff() == (
        f"--- {tmp_path}/a.yml (on disk)\n+++ {tmp_path}/a.yml (from the catalog)\n@@ -1 +1 @@\n"
        "-a: \ufffd\n\\ No newline at end of file\n+a: 1\n"
    )


DAMAGED = {
    "no JSON": "{",
    "a list": "[]",
    "no files": "{}",
    "files that are no mapping": '{"files": ["a.yml"]}',
    "a path out of the folder": '{"files": {"../other.txt": "x"}}',
    "a path deep out of the folder": '{"files": {"sub/../../other.txt": "x"}}',
    "an absolute path": '{"files": {"/etc/passwd": "x"}}',
    "an empty path": '{"files": {"": "x"}}',
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_manifest_stops_it(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "out"
    make(folder, A)
    (tmp_path / "other.txt").write_text("another's")
    (folder / MANIFEST).write_text(text)
    before = everything(tmp_path)
    with pytest.raises(WriteError, match="is damaged; remove it, then use --force"):
        make(folder, B, force=True)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("path", ["../a", "/a", "sub/../../a", "", "."])
def test_an_output_cannot_write_outside_its_folder(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="leads out of the folder"):
        make(tmp_path / "out", File(path, "x\n"))


def test_a_file_that_is_a_link_is_somebodys_and_force_replaces_the_link(tmp_path: Path) -> None:
    folder, target = tmp_path / "out", tmp_path / "target.yml"
    folder.mkdir()
    target.write_text("a: theirs\n")
    (folder / "a.yml").symlink_to(target)
    assert states(folder, A) == {"a.yml": "edited"}
    make(folder, A)
    assert (folder / "a.yml").is_symlink()
    make(folder, A, force=True)
    assert (folder / "a.yml").read_text() == A.text
    assert not (folder / "a.yml").is_symlink()
    assert target.read_text() == "a: theirs\n"


def test_a_stale_file_that_became_a_link_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    make(folder, A, B)
    (folder / "a.yml").rename(tmp_path / "moved.yml")
    (folder / "a.yml").symlink_to(tmp_path / "moved.yml")
    assert states(folder, B)["a.yml"] == "stale, edited"
    make(folder, B, force=True)
    assert (tmp_path / "moved.yml").read_text() == A.text


def outwards(folder: Path, outside: Path) -> None:
    (folder / "sub").symlink_to(outside)


def manifest_elsewhere(folder: Path, outside: Path) -> None:
    (folder / MANIFEST).symlink_to(outside / "manifest")


def nowhere(folder: Path, outside: Path) -> None:
    (folder / "a.yml").symlink_to(outside / "missing")


@pytest.mark.parametrize("link", [outwards, manifest_elsewhere, nowhere])
def test_links_are_never_written_through(tmp_path: Path, link: Callable[[Path, Path], None]) -> None:
    folder, outside = tmp_path / "out", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    link(folder, outside)
    with pytest.raises(WriteError, match=r"is a (broken )?link"):
        make(folder, A, B, force=True)
    assert not list(outside.iterdir())


def test_the_folder_itself_and_links_inside_it_may_be_links(tmp_path: Path) -> None:
    (tmp_path / "real/inner").mkdir(parents=True)
    (tmp_path / "real/sub").symlink_to("inner")
    (tmp_path / "out").symlink_to("real")
    make(tmp_path / "out", A, B)
    assert (tmp_path / "real/inner/b.yml").read_text() == B.text


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "sub").write_text("a file")
    with pytest.raises(WriteError, match=f"^{tmp_path}/sub is a file, but a folder is needed there"):
        make(tmp_path, A, B)
    assert tree(tmp_path) == {"sub": "a file"}


def test_a_folder_where_a_file_should_be(tmp_path: Path) -> None:
    (tmp_path / "a.yml").mkdir()
    with pytest.raises(WriteError, match=f"^{tmp_path}/a.yml is a folder, but a file is needed there"):
        make(tmp_path, A, B)
    assert tree(tmp_path) == {}


def no_links(*_: object, **__: object) -> None:
    raise PermissionError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "no hard links"])
def test_what_fails_in_the_middle_is_undone(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let the last of four steps fail, as if a folder took a file's place between comparing and writing."""
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    (tmp_path / "replaced").write_text("old")
    (tmp_path / "removed").write_text("old")
    (tmp_path / "blocked").mkdir()
    before = everything(tmp_path)

    def four_steps() -> None:
        with Transaction() as transaction:
            transaction.write(tmp_path / "replaced", "new", 0o644)
            transaction.write(tmp_path / "deep/er/new", "new", 0o644)
            transaction.remove(tmp_path / "removed")
            transaction.write(tmp_path / "blocked", "new", 0o644)
            transaction.commit()

    with pytest.raises(IsADirectoryError):
        four_steps()
    assert everything(tmp_path) == before
    (tmp_path / "blocked").rmdir()
    four_steps()
    assert set(tree(tmp_path)) == {"replaced", "deep/er/new", "blocked"}


def test_files_of_another_project_are_kept(tmp_path: Path) -> None:
    make(tmp_path, A, SCRIPT, project="shop")
    before = everything(tmp_path)
    other = (File("a.yml", "a: 2\n"), File("new.yml", "new: 1\n"), SCRIPT)
    expected = {"a.yml": "of another project", "new.yml": "of another project", "run.sh": "unchanged"}
    assert states(tmp_path, *other, project="bank") == expected
    assert states(tmp_path, project="bank") == dict.fromkeys(("a.yml", "run.sh"), "of another project")
    make(tmp_path, *other, project="bank")
    make(tmp_path, project="bank")
    assert everything(tmp_path) == before
    make(tmp_path, *other, project="bank", force=True)
    assert tree(tmp_path) == {file.path: file.text for file in other}
    assert set(states(tmp_path, *other, project="bank").values()) == {"unchanged"}
    assert "of another project" in states(tmp_path, A, SCRIPT, project="shop").values()


def test_a_manifest_of_no_project_is_taken_over(tmp_path: Path) -> None:
    make(tmp_path, A)
    assert states(tmp_path, A, project="shop") == {"a.yml": "unchanged"}
    make(tmp_path, A, project="shop")
    assert json.loads((tmp_path / MANIFEST).read_text())["project"] == "shop"


def test_of_a_part_of_a_folder_nothing_else_is_stale(tmp_path: Path) -> None:
    make(tmp_path, A, B)
    assert states(tmp_path, A, whole=False) == {"a.yml": "unchanged"}
    make(tmp_path, File("a.yml", "a: 2\n"), whole=False)
    assert states(tmp_path, A, B) == {"a.yml": "changed", "sub/b.yml": "unchanged"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(CATALOG)
    return file


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


PROMETHEUS = "deploy/production/prometheus/prometheus.yml"


def test_gen_writes_says_what_it_wrote_and_is_then_current(config: Path, out: Path) -> None:
    first = gen(config, out)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == "8 files: 8 written\n"
    assert gen(config, out).stdout == "8 files: 8 unchanged\n"
    check = gen(config, out, "--check")
    assert (check.returncode, check.stdout, check.stderr) == (0, "", "nothing differs\n")


@pytest.mark.parametrize("option", ["--check", "--diff"])
def test_check_and_diff_show_the_difference_and_write_nothing(config: Path, out: Path, option: str) -> None:
    gen(config, out)
    config.write_text(CATALOG.replace("project: shop", "project: shop\nprometheus: {scrape_interval: 5s}"))
    before = everything(out)
    result = gen(config, out, option)
    assert result.returncode == 1
    assert f"--- {out}/{PROMETHEUS} (on disk)" in result.stdout
    assert "-  scrape_interval: 15s\n" in result.stdout
    assert "+  scrape_interval: 5s\n" in result.stdout
    assert result.stderr == "4 of 8 files differ\n"
    assert everything(out) == before


def test_check_of_an_empty_folder_writes_nothing(config: Path, out: Path) -> None:
    result = gen(config, out, "--check")
    assert (result.returncode, result.stderr) == (1, "8 of 8 files differ\n")
    assert not out.exists()


def test_gen_keeps_edits_reports_them_and_overwrites_when_forced(config: Path, out: Path) -> None:
    gen(config, out)
    (out / PROMETHEUS).write_text("mine: 1\n")
    kept = gen(config, out)
    assert kept.returncode == 1
    assert kept.stdout == f"{out}/{PROMETHEUS}: kept: edited by hand\n8 files: 1 kept, 7 unchanged\n"
    assert "1 file(s) were kept" in kept.stderr
    assert (out / PROMETHEUS).read_text() == "mine: 1\n"
    forced = gen(config, out, "--force")
    assert (forced.returncode, forced.stderr) == (0, "")
    assert forced.stdout == "8 files: 1 overwritten, 7 unchanged\n"
    assert gen(config, out, "--check").returncode == 0


def test_json_names_every_file_and_its_state(config: Path, out: Path) -> None:
    listed = json.loads(gen(config, out, "--json").stdout)
    assert {"path": str(out / PROMETHEUS), "state": "new"} in listed
    assert {item["state"] for item in json.loads(gen(config, out, "--json", "--check").stdout)} == {
        State.UNCHANGED
    }


def test_files_of_an_environment_that_is_no_more_are_removed(config: Path, out: Path) -> None:
    gen(config, out)
    (out / "deploy/testing/notes.txt").write_text("mine")
    config.write_text("project: shop\nservices: {web: {image: web, port: 80}}\nenvironments: {staging: {}}\n")
    result = gen(config, out)
    assert result.returncode == 0
    assert result.stdout == "12 files: 8 removed, 4 written\n"
    assert {path.split("/")[1] for path in tree(out)} == {"testing", "staging"}
    assert not (out / "deploy/production").exists()
    assert [path for path in tree(out) if "testing" in path] == ["deploy/testing/notes.txt"]


def test_gen_leaves_what_the_catalog_of_another_project_made(config: Path, out: Path) -> None:
    """Check folders of environments that only the other project has: they look like removed ones."""
    gen(config, out)
    before = everything(out)
    config.write_text(
        CATALOG.replace("shop", "bank").replace(
            "{testing: {}, production: {}}", "{production: {}, staging: {}}"
        )
    )
    result = gen(config, out)
    assert result.returncode == 1
    assert result.stdout.count("kept: generated from the catalog of another project") == 3
    assert result.stdout.endswith("8 files: 3 kept, 1 unchanged, 4 written\n")
    assert {path: found for path, found in everything(out).items() if "staging" not in path} == before


def test_only_what_is_asked_for_is_written(config: Path, out: Path) -> None:
    assert gen(config, out, "--only", "prometheus", "-e", "testing").stdout == "1 file: 1 written\n"
    assert set(tree(out)) == {"deploy/testing/prometheus/prometheus.yml"}
    assert (
        gen(config, out, "--only", "alertmanager, prometheus").stdout == "4 files: 1 unchanged, 3 written\n"
    )
    wrong = gen(config, out, "--only", "prometheus,grafanas")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr == (
        "there is no output 'grafanas'; the outputs are prometheus, alertmanager, grafana\n"
    )


def test_a_part_of_a_folder_leaves_the_rest(config: Path, out: Path) -> None:
    """Check with compose.yaml and environment.sh, which are in the same folder."""
    run(config, out)
    before = everything(out)
    assert run(config, out, "--only", "compose").endswith(" unchanged\n")
    assert everything(out) == before


def test_a_catalog_that_only_watches_has_no_deploy_files(config: Path, out: Path) -> None:
    run(config, out)
    config.write_text(
        "project: shop\nservices: {web: {port: 80}}\nenvironments: {testing: {}, production: {}}\n"
    )
    run(config, out)
    found = tree(out)
    assert {path.split("/")[0] for path in found} == {"alert_rules", "dashboards", "deploy"}
    assert {
        f"deploy/testing/{path}" for path in ("compose.monitoring.yaml", "prometheus/prometheus.yml")
    } <= set(found)
    assert not [path for path in found if path.endswith("/compose.yaml") or "/images/" in path]


def run(config: Path, out: Path, *options: str) -> str:
    """Run `gen` with the whole table of outputs."""
    command = [sys.executable, "-m", "exporter", "gen", "--config", str(config), "--out", str(out), *options]
    return subprocess.run(command, text=True, capture_output=True, check=True, timeout=60).stdout


def test_a_diff_on_a_terminal_has_colours_and_no_control_characters(config: Path, out: Path) -> None:
    gen(config, out)
    (out / PROMETHEUS).write_text("\x1b]0;owned\x07: 1\n")
    module = [sys.executable, "-m", "exporter", "gen", "--diff", "--only", "prometheus"]
    terminal, inside = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "200"}
    environment.pop("NO_COLOR", None)
    subprocess.run(
        [*module, "-c", config, "-o", out], stdout=inside, env=environment, timeout=60, check=False
    )
    os.close(inside)
    shown = os.read(terminal, 1 << 20).decode()
    os.close(terminal)
    assert "\x1b[31m-\\x1b]0;owned\\x07: 1" in shown
    assert "\x1b]0" not in shown
    assert "\x1b[32m+global:" in shown


def test_a_file_in_the_way_is_one_clear_error(config: Path, out: Path) -> None:
    out.write_text("a file")
    result = gen(config, out)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"{out} is a file, but a folder is needed there; move the file away\n"
    assert out.read_text() == "a file"


def changed(config: Path) -> None:
    """Change the catalog in a way that changes every file of Prometheus and Alertmanager and makes them larger."""
    names = (f"service-with-a-long-name-that-fills-the-disk-{n}" for n in range(800))
    services = ", ".join(f"{name}: {{image: x, depends_on: web}}" for name in names)
    config.write_text(
        CATALOG.replace("port: 80}", f"port: 80}}, {services}").replace("testing", "a-longer-name")
    )


def is_one_error(result: subprocess.CompletedProcess[str], reason: str) -> None:
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert reason in result.stderr
    assert result.stderr.endswith("; nothing was changed\n")


def test_a_write_that_fails_changes_nothing(config: Path, out: Path) -> None:
    """Forbid files larger than 4 KiB, as on a disk that becomes full halfway."""
    gen(config, out)
    changed(config)
    before = everything(out)
    result = gen(
        config,
        out,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY)),
    )
    is_one_error(result, "File too large")
    assert everything(out) == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 64 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system needs root; test_a_write_that_fails… covers the rest")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_changes_nothing(config: Path, small_disk: Path) -> None:
    assert gen(config, small_disk).returncode == 0
    changed(config)
    before = everything(small_disk)
    is_one_error(gen(config, small_disk), "No space left on device")
    assert everything(small_disk) == before


def test_a_full_disk_leaves_no_new_folder(config: Path, small_disk: Path) -> None:
    changed(config)
    is_one_error(gen(config, small_disk), "No space left on device")
    assert everything(small_disk) == {}


def test_a_disk_that_cannot_be_written_is_one_clear_error(config: Path, small_disk: Path) -> None:
    gen(config, small_disk)
    changed(config)
    before = everything(small_disk)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    is_one_error(gen(config, small_disk), "Read-only file system")
    assert everything(small_disk) == before


@pytest.mark.skipif(
    os.geteuid() == 0, reason="root can write anywhere; the test of the read-only disk covers it"
)
def test_a_folder_that_cannot_be_written_is_one_clear_error(out: Path) -> None:
    out.mkdir(mode=0o555)
    with pytest.raises(WriteError, match=r"^cannot write .*: Permission denied; nothing was changed$"):
        make(out, A, B)
    assert everything(out) == {}
