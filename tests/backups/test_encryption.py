"""Files that pass through age or gpg, and tools that fail."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from exporter.backups.encryption import Encryption
from exporter.backups.engines.shape import read_all
from exporter.backups.making import Making
from exporter.backups.steps import Steps
from exporter.backups.subjects import BackupsError
from tests.components import require

if TYPE_CHECKING:
    from pathlib import Path

TEXT = os.urandom(300_000)


def test_what_is_encrypted_by_age_is_decrypted_with_its_key_alone(tmp_path: Path) -> None:
    for name in ("private", "other"):
        subprocess.run([require("age-keygen"), "-o", tmp_path / name], check=True, capture_output=True)
    with (tmp_path / "public").open("wb") as file:
        subprocess.run([require("age-keygen"), "-y", tmp_path / "private"], check=True, stdout=file)
    encryption = Encryption("age", str(tmp_path / "public"), str(tmp_path / "private"))
    encryption.check()
    with encryption.writing(tmp_path / "file") as target:
        target.write(TEXT)
    assert (tmp_path / "file").read_bytes().startswith(b"age-encryption.org")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    with encryption.reading(tmp_path / "file") as source:
        assert read_all(source, 1_000_000) == TEXT
    with encryption.reading(tmp_path / "file") as source:
        assert source.read(1) == TEXT[:1]  # read only a part
    wrong = Encryption("age", "", str(tmp_path / "other"))
    with pytest.raises(BackupsError, match="age failed: "), wrong.reading(tmp_path / "file") as source:
        read_all(source, 1_000_000)


@pytest.mark.parametrize("does", ["echo no >&2; exit 1", "cat >/dev/null; echo no >&2; exit 1", "kill -9 $$"])
def test_a_tool_that_fails_is_an_error_and_its_file_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str
) -> None:
    tool = tmp_path / "age"
    tool.write_text(f"#!/bin/sh\n{does}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    encryption = Encryption("age", "key")
    making = Making(tmp_path / "till", encryption, Steps(print))
    with pytest.raises(BackupsError, match="age failed: "), making.file("dump", "database") as target:
        target.write(TEXT * 10)
    assert list((tmp_path / "till").iterdir()) == []


def test_a_public_key_that_is_not_there_is_found_before_anything_is_saved(tmp_path: Path) -> None:
    require("age")
    with pytest.raises(BackupsError, match="the public key"):
        Encryption("age", str(tmp_path / "missing")).check()


@pytest.mark.parametrize("value", ["a\0b", "a\nb", "\x1b[2J", "x" * 1001, "\u202e"])
def test_a_fact_is_a_text_that_prints(tmp_path: Path, value: str) -> None:
    making = Making(tmp_path / "till", Encryption(), Steps(print))
    with pytest.raises(BackupsError, match="version is not a printable text"):
        making.fact("version", value)
    assert not (tmp_path / "till" / ".parts").exists()


def test_a_file_that_cannot_be_written_is_the_step_s_error(tmp_path: Path) -> None:
    steps = Steps(print)
    steps.begin("dumping till")
    making = Making(tmp_path / "till", Encryption(), steps)
    with (
        pytest.raises(BackupsError, match="dumping till failed: "),
        making.file("no/such/folder", "database"),
    ):
        pass
