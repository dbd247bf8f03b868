"""Files that cannot be used: one sentence with file and line, within limits, and nothing of a secret in it."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from exporter.imports.project import SourceError
from tests.imports.files import read, write

if TYPE_CHECKING:
    from pathlib import Path

MISTAKES: dict[str, tuple[dict[str, str], str]] = {
    "no YAML": ({"compose.yaml": "services: {a: {image: x}\n"}, "compose.yaml:2:1: is not YAML: expected"),
    "a list": ({"compose.yaml": "- a\n"}, "compose.yaml:1:1: is not a mapping of keys to values"),
    "empty": (
        {"compose.yaml": "# nothing\n"},
        "compose.yaml:1:1: is empty; a Compose file has the key services",
    ),
    "another file": (
        {"compose.yaml": "apiVersion: v1\nkind: Pod\n"},
        "compose.yaml:1:1: has no services; it is not a Compose file",
    ),
    "the first format": (
        {"compose.yaml": "web: {image: x}\n"},
        "compose.yaml:1:1: is in Compose's first format",
    ),
    "an unknown version": (
        {"compose.yaml": "version: '4'\nservices: {a: {image: x}}"},
        'compose.yaml:1:1: version: "4" is not a version of the Compose file format',
    ),
    "a key twice": (
        {"compose.yaml": "services:\n  a: {image: x}\n  a: {image: y}\n"},
        "compose.yaml:3:3: services.a: duplicate key; the first is on line 2",
    ),
    "services as a list": (
        {"compose.yaml": "services: [a]"},
        "compose.yaml:1:1: services: must be a mapping of names",
    ),
    "a service as a text": (
        {"compose.yaml": "services:\n  a: x"},
        "compose.yaml:2:3: services.a: must be a mapping",
    ),
    "an empty service": ({"compose.yaml": "services:\n  a:"}, "compose.yaml:2:3: services.a: is empty"),
    "files that disagree": (
        {
            "compose.yaml": "services:\n  a:\n    image: x\n    ports: ['1:1']",
            "compose.override.yaml": "services:\n  a:\n    ports: {1: 1}",
        },
        "compose.override.yaml:3:5: services.a.ports: a mapping cannot be merged with a list at ",
    ),
    "environment that disagrees": (
        {
            "compose.yaml": "services:\n  a:\n    image: x\n    environment: [A=1]",
            "compose.override.yaml": "services:\n  a:\n    environment: 5",
        },
        "compose.override.yaml:3:5: services.a.environment: a single value cannot be merged with a list at ",
    ),
    "services in a circle": (
        {"compose.yaml": "services:\n  a: {extends: b}\n  b: {extends: c}\n  c: {extends: a}"},
        "compose.yaml:2:7: services.a.extends: services extend each other: a → b → c → a",
    ),
    "a service that extends itself": (
        {"compose.yaml": "services:\n  a: {extends: {service: a}}"},
        "services extend each other: a → a",
    ),
    "services of two files in a circle": (
        {
            "compose.yaml": "services:\n  a: {extends: {file: b.yaml, service: b}}",
            "b.yaml": "services:\n  b: {extends: {file: compose.yaml, service: a}}",
        },
        "services extend each other",
    ),
    "an unknown base": (
        {"compose.yaml": "services:\n  web: {image: x}\n  a: {extends: wep}"},
        'compose.yaml:3:7: services.a.extends: there is no service "wep" in ',
    ),
    "a base without a file": (
        {"compose.yaml": "services:\n  a: {extends: {file: no.yaml, service: b}}"},
        "compose.yaml:2:17: services.a.extends: there is no file ",
    ),
    "files that include each other": (
        {"compose.yaml": "include: [a.yaml]\nservices: {a: {image: x}}", "a.yaml": "include: [compose.yaml]"},
        "a.yaml:1:11: include[0]: files include each other: ",
    ),
    "an include that is not there": (
        {"compose.yaml": "include:\n  - no.yaml\nservices: {a: {image: x}}"},
        "compose.yaml:2:5: include[0]: there is no file ",
    ),
    "an include of a wrong form": (
        {"compose.yaml": "include: a.yaml\nservices: {a: {image: x}}"},
        "compose.yaml:1:1: include: must be a list of files",
    ),
    "an include of a number": (
        {"compose.yaml": "include: [5]\nservices: {a: {image: x}}"},
        "compose.yaml:1:11: include[0]: must be the path of a file",
    ),
    "a path with a null byte": (
        {"compose.yaml": 'include: ["a\\0b"]\nservices: {a: {image: x}}'},
        "include[0]: must be the path of a file",
    ),
    "ranges of ports": (
        {"compose.yaml": "services:\n  a:\n    image: x\n    ports:\n      - 80\n      - 8000-8002:80-81"},
        "compose.yaml:6:9: services.a.ports[1]: 3 ports of the host (8000-8002) do not fit",
    ),
    "an expression": (
        {"compose.yaml": "services:\n  a:\n    image: x\n    environment:\n      P: ${P:-s3cret"},
        'compose.yaml:5:7: services.a.environment.P: "${P…" is not ${NAME} or ${NAME:-default}',
    ),
    "a wrong form": (
        {"compose.yaml": "services:\n  a:\n    image: x\n    healthcheck:\n      test: [curl]"},
        "compose.yaml:5:7: services.a.healthcheck.test: the list must begin with CMD",
    ),
    "a wrong volume": (
        {"compose.yaml": "services: {a: {image: x}}\nvolumes:\n  v: {driver: [a]}"},
        "compose.yaml:3:7: volumes.v.driver: must be one value, not a list",
    ),
    "no file": ({"other.yaml": ""}, "there is no Compose file here; Compose looks for compose.yaml"),
    "a name": (
        {"compose.yaml": "services: {a: {image: x}}", ".env": "COMPOSE_PROJECT_NAME=A b"},
        "is not a project name",
    ),
    "a merge key": ({"compose.yaml": "services: {a: {<<: 5}}"}, "the merge key << takes a mapping"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_sentence_with_its_place(tmp_path: Path, case: str) -> None:
    files, sentence = MISTAKES[case]
    with pytest.raises(SourceError) as caught:
        read(write(tmp_path, files))
    text = str(caught.value)
    assert sentence in text
    assert "\n" not in text
    assert "s3cret" not in text


def test_all_wrong_forms_are_told_at_once(tmp_path: Path) -> None:
    write(
        tmp_path, {"compose.yaml": "services:\n  a: {image: [x], ports: [x]}\n  b: {image: x, expose: [y]}"}
    )
    with pytest.raises(SourceError) as caught:
        read(tmp_path)
    assert [problem.path for problem in caught.value.problems] == [
        "services.a.image",
        "services.a.ports[0]",
        "services.b.expose[0]",
    ]


def test_what_is_no_ordinary_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": "include: [pipe]\nservices: {a: {image: x}}"})
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="cannot be read: it is a named pipe"):
        read(tmp_path)
    write(tmp_path, {"compose.yaml": "services: {a: {extends: {file: /dev/zero, service: b}}}"})
    with pytest.raises(SourceError, match="cannot be read: it is a device"):
        read(tmp_path)
    write(tmp_path, {"compose.yaml": "include: [..]\nservices: {a: {image: x}}"})
    with pytest.raises(SourceError, match="cannot be read: Is a directory"):
        read(tmp_path)
    os.mkfifo(tmp_path / ".env")
    write(tmp_path, {"compose.yaml": "services: {a: {image: x}}"})
    assert "was not read: it is a named pipe" in str(read(tmp_path).notes[0])


def test_links_and_folders_above_are_followed_as_compose_does(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"app/compose.yaml": "include: [../up.yaml, link.yaml]", "up.yaml": "services: {up: {image: x}}"},
    )
    write(tmp_path, {"to.yaml": "services: {to: {image: x}}"})
    (tmp_path / "app/link.yaml").symlink_to("../to.yaml")
    assert list(read(tmp_path / "app").model["services"]) == ["up", "to"]
    (tmp_path / "app/link.yaml").unlink()
    (tmp_path / "app/link.yaml").symlink_to("link.yaml")
    with pytest.raises(SourceError, match="there is no file"):
        read(tmp_path / "app")


_LONG_CHAIN = "".join(f"  s{i}: {{extends: s{i + 1}}}\n" for i in range(1000))
_MANY = {f"f{i}.yaml": f"include: [f{i + 1}.yaml]" for i in range(300)}
BOMBS: dict[str, tuple[dict[str, str], str]] = {
    "aliases": (
        {
            "compose.yaml": "x0: &x0 [a, a]\n"
            + "".join(f"x{i}: &x{i} [{', '.join([f'*x{i - 1}'] * 9)}]\n" for i in range(1, 12))
        },
        "aliases expand to more than",
    ),
    "depth": ({"compose.yaml": "services: " + "[" * 100_000}, "nested too deep"),
    "a chain of services": (
        {"compose.yaml": f"services:\n{_LONG_CHAIN}  s1000: {{image: x}}\n"},
        "more than 50 services",
    ),
    "a chain of files": ({"compose.yaml": "include: [f0.yaml]", **_MANY}, "nested more than 50 deep"),
    "many files": (
        {
            "compose.yaml": f"include: [{', '.join(f'm{i}.yaml' for i in range(300))}]",
            **{f"m{i}.yaml": "services: {a: {image: x}}" for i in range(300)},
        },
        "more than 200 files",
    ),
    "a large file": ({"compose.yaml": "#" * (1024 * 1024 + 1)}, "is larger than 1 MiB"),
    "many values": (
        {
            "compose.yaml": f"include: [{', '.join(f'm{i}.yaml' for i in range(20))}]",
            **dict.fromkeys(
                (f"m{i}.yaml" for i in range(20)),
                f"x: &x [{'a, ' * 10_000}]\nx-y: [{'*x, ' * 45}]\nservices: {{a: {{image: x}}}}",
            ),
        },
        "more than 2000000 values",
    ),
    "merging": (
        {
            "compose.yaml": "services:\n  s0: {image: x, environment: {"
            + ", ".join(f"V{i}: 1" for i in range(5000))
            + "}}\n"
            + "".join(f"  s{i}: {{extends: s0, environment: {{A: 1}}}}\n" for i in range(1, 200))
        },
        "merging the files produces more than 500000 values",
    ),
    "nested variables": (
        {"compose.yaml": "services: {a: {image: '" + "${A:-" * 1000 + "}" * 1000 + "'}}"},
        "nested more than",
    ),
}


@pytest.mark.parametrize("case", BOMBS)
def test_what_grows_without_end_is_refused_in_time(tmp_path: Path, case: str) -> None:
    files, sentence = BOMBS[case]
    write(tmp_path, files)
    started = time.process_time()
    with pytest.raises(SourceError, match=sentence):
        read(tmp_path)
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    "text", ["${" * 20_000, "$" * 40_001, "{" * 20_000 + "}" * 20_000, "${A:-x}" * 2_000]
)
def test_long_texts_take_linear_time(tmp_path: Path, text: str) -> None:
    write(
        tmp_path,
        {
            "compose.yaml": f"services: {{a: {{image: x, command: '{text}', ports: ['{text}'], volumes: ['{text}']}}}}"
        },
    )
    started = time.process_time()
    with suppress(SourceError):
        read(tmp_path)
    assert time.process_time() - started < 5
