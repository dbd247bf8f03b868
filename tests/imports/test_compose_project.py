"""What a project is besides its model: files, name, places, notes; and what Compose finds in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.imports.compose.dotenv import read_dot_env
from exporter.imports.compose.reading import read_project
from exporter.imports.compose.variables import uses
from exporter.imports.project import SourceError
from tests.imports import oracle
from tests.imports.files import read, write

if TYPE_CHECKING:
    from collections.abc import Mapping

ONE = "services: {a: {image: x}}"


def _names(folder: Path, environment: Mapping[str, str] | None = None) -> list[str]:
    project = read_project(folder, environment=environment or {})
    return [str(Path(source.name).relative_to(folder)) for source in project.sources]


@pytest.mark.parametrize(
    ("there", "read_in_order"),
    [
        (["compose.yaml"], ["compose.yaml"]),
        (["docker-compose.yaml", "docker-compose.yml"], ["docker-compose.yml"]),
        (["compose.yml", "docker-compose.override.yml"], ["compose.yml", "docker-compose.override.yml"]),
        (
            ["compose.yaml", "docker-compose.yml", "compose.override.yaml", "docker-compose.override.yml"],
            ["compose.yaml", "compose.override.yaml"],
        ),
    ],
)
def test_a_folder_is_searched_as_compose_does(
    tmp_path: Path, there: list[str], read_in_order: list[str]
) -> None:
    assert _names(write(tmp_path, dict.fromkeys(there, ONE))) == read_in_order


def test_compose_file_of_the_env_file_or_the_environment(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"a.yaml": ONE, "sub/b.yaml": ONE, "compose.yaml": ONE, ".env": "COMPOSE_FILE=a.yaml:sub/b.yaml\n"},
    )
    assert _names(tmp_path) == ["a.yaml", "sub/b.yaml"]
    assert _names(tmp_path, {"COMPOSE_FILE": "sub/b.yaml"}) == ["sub/b.yaml"]
    assert _names(tmp_path, {"COMPOSE_FILE": "a.yaml,compose.yaml", "COMPOSE_PATH_SEPARATOR": ","}) == [
        "a.yaml",
        "compose.yaml",
    ]


@pytest.mark.parametrize(
    ("folder", "files", "environment", "name", "origin"),
    [
        ("My App_1.2", {}, {}, "myapp_12", "folder"),
        ("__a", {}, {}, "a", "folder"),
        ("x", {"compose.yaml": f"name: My.Name\n{ONE}"}, {}, "myname", "file"),
        ("x", {"compose.yaml": f"name: one\n{ONE}", "compose.override.yaml": "name: two"}, {}, "two", "file"),
        ("x", {"compose.yaml": f"name: ${{N:-n}}\n{ONE}"}, {}, "n", "file"),
        ("x", {"compose.yaml": f"name: ${{N}}\n{ONE}"}, {}, "x", "folder"),
        (
            "x",
            {".env": "COMPOSE_PROJECT_NAME=env", "compose.yaml": f"name: n\n{ONE}"},
            {},
            "env",
            "COMPOSE_PROJECT_NAME",
        ),
        (
            "x",
            {".env": "COMPOSE_PROJECT_NAME=env"},
            {"COMPOSE_PROJECT_NAME": "shell"},
            "shell",
            "COMPOSE_PROJECT_NAME",
        ),
    ],
)
def test_the_name_is_that_of_compose(
    tmp_path: Path, folder: str, files: dict[str, str], environment: dict[str, str], name: str, origin: str
) -> None:
    project = read_project(write(tmp_path / folder, {"compose.yaml": ONE} | files), environment=environment)
    assert (project.name, project.name_from) == (name, origin)


def test_a_given_name_wins(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": f"name: n\n{ONE}"})
    assert read_project(tmp_path, name="given", environment={"COMPOSE_PROJECT_NAME": "e"}).name == "given"
    with pytest.raises(SourceError, match="is not a project name"):
        read_project(tmp_path, name="Not This", environment={})


def test_profiles_that_are_on_are_named_and_all_services_kept(tmp_path: Path) -> None:
    files = {"compose.yaml": "services: {a: {image: x, profiles: [p]}}", ".env": "COMPOSE_PROFILES=a, b\n"}
    project = read(write(tmp_path, files))
    assert project.profiles == ("a", "b")
    assert list(project.model["services"]) == ["a"]


def test_every_value_knows_where_it_was_written(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "compose.yaml": """
            x-env: &env
              A: 1
            services:
              web:
                image: x
                environment:
                  <<: *env
                  B: 2
                ports:
                  - "80:80"
            """,
            "compose.override.yaml": """
            services:
              web:
                image: y
                ports:
                  - "81:81"
            """,
        },
    )
    project = read(tmp_path)

    def place(*path: str | int) -> str:
        found = project.place(path)
        return f"{Path(found.source.name).name}:{found.line}"

    assert place("services", "web") == "compose.yaml:5"
    assert place("services", "web", "image") == "compose.override.yaml:4"
    assert place("services", "web", "environment", "A") == "compose.yaml:3"
    assert place("services", "web", "environment", "B") == "compose.yaml:9"
    assert place("services", "web", "ports", 0) == "compose.yaml:11"
    assert place("services", "web", "ports", 1) == "compose.override.yaml:6"
    assert place("services", "web", "nothing", "here") == "compose.yaml:5"
    assert project.value(("services", "web", "nothing")) is None


def test_sources_know_their_folder_and_the_names_of_their_env_file(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "compose.yaml": """
            include: [{path: db/x.yaml, env_file: other.env}, sub/y.yaml]
            services:
              a: {image: "$OUT", extends: {file: base/b.yaml, service: b}}
            """,
            ".env": "OUT=1\n",
            "other.env": "IN=s3cret\n",
            "db/x.yaml": "services: {x: {image: '$IN $OUT $GONE'}}",
            "sub/y.yaml": "services: {y: {image: '$IN'}}",
            "sub/.env": "SUB=1",
            "base/b.yaml": "services: {b: {build: ., labels: {l: $IN}}}",
        },
    )
    project = read(tmp_path)
    found = {source.name.rpartition("/")[2]: source for source in project.sources}
    assert {name: source.role for name, source in found.items()} == {
        "compose.yaml": "main",
        "x.yaml": "include",
        "y.yaml": "include",
        "b.yaml": "extends",
    }
    assert found["x.yaml"].folder == tmp_path / "db"
    assert found["x.yaml"].variables == {"OUT", "IN"}
    assert found["y.yaml"].variables == {"OUT", "SUB"}
    assert project.place(("services", "a", "build")).source.folder == tmp_path / "base"
    assert "no .env file defines GONE, IN" in str(project.notes[-1])
    assert "s3cret" not in repr(project)
    assert sorted(use.variable.name for use in uses(project.tree)) == ["GONE", "IN", "IN", "IN", "OUT", "OUT"]


NOTES = {
    "a remote include": ("include: ['https://github.com/a/b.git']", "remote files are not fetched"),
    "an OCI include": ("include: ['oci://docker.io/a/b']", "remote files are not fetched"),
    "a remote base": ("", "remote files are not fetched"),
    "an include by a variable": ("include: ['${X}/a.yaml']", '"${X}/a.yaml" depends on a variable'),
    "an include by a default": ("include: ['${X:-b.yaml}']", 'its default "b.yaml" was read'),
    "an unknown key": ("volume: {}", 'Compose has no such key; did you mean "volumes"?'),
}


@pytest.mark.parametrize("case", NOTES)
def test_what_a_person_should_know_is_noted(tmp_path: Path, case: str) -> None:
    more, sentence = NOTES[case]
    extends = ", extends: {file: 'git@github.com:a/b', service: c}" if case == "a remote base" else ""
    write(
        tmp_path,
        {
            "compose.yaml": f"services: {{a: {{image: x{extends}}}}}\n{more}\n",
            "b.yaml": "services: {b: {image: b}}",
        },
    )
    project = read(tmp_path)
    assert sentence in "\n".join(map(str, project.notes))
    assert project.model["services"]["a"] == {"image": "x"}
    assert "include" not in project.model


def test_an_env_file_that_cannot_be_read_is_noted(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": ONE, ".env": "A=1\n" * 300_000})
    assert "larger than 1 MiB" in str(read(tmp_path).notes[0])
    write(tmp_path, {".env": "COMPOSE_PROJECT_NAME=$OTHER\n"})
    assert "COMPOSE_PROJECT_NAME refers to other variables" in str(read(tmp_path).notes[0])


def test_env_files_that_are_missing_are_noted(tmp_path: Path) -> None:
    entries = "[a.env, {path: b.env, required: false}, '${C}.env', there.env]"
    write(
        tmp_path, {"compose.yaml": f"services: {{a: {{image: x, env_file: {entries}}}}}", "there.env": "A=1"}
    )
    notes = [note for note in read(tmp_path).notes if note.path]
    assert [(note.path[-1], str(note.place).endswith("compose.yaml:1")) for note in notes] == [(0, True)]
    assert 'there is no file "a.env"; Compose does not start without it' in str(notes[0])


def test_an_env_file_gives_names_only(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            ".env": """\
            # COMMENT=1
            A=1
            export B = two # COMPOSE_FILE=no
            C="first
            COMPOSE_FILE=inside \\" quotes
            D=also inside"
            E: yaml
            F='x
            G=y'
            H
            COMPOSE_PROJECT_NAME='name' # comment
            COMPOSE_PROFILES=a,b#c # d
            """
        },
    )
    found = read_dot_env(tmp_path / ".env")
    assert found
    assert found.names == {"A", "B", "C", "E", "F", "COMPOSE_PROJECT_NAME", "COMPOSE_PROFILES"}
    assert found.own == {"COMPOSE_PROJECT_NAME": "name", "COMPOSE_PROFILES": "a,b#c"}
    assert read_dot_env(tmp_path / "none") is None
    assert read_dot_env(tmp_path) is None


def test_what_is_included_and_redefined_is_merged(tmp_path: Path) -> None:
    """Check what older versions of Compose 2 refuse and newer ones merge: the including file wins."""
    write(
        tmp_path,
        {
            "compose.yaml": """
            include: [a.yaml]
            services:
              a: {environment: {B: own}, ports: !reset []}
              b: {extends: a, image: b}
            """,
            "a.yaml": 'services: {a: {image: a, environment: {A: 1, B: 1}, ports: ["1:1"]}}',
        },
    )
    services = read(tmp_path).model["services"]
    assert services["a"] == {"image": "a", "environment": {"A": 1, "B": "own"}}
    assert services["b"] == {"image": "b", "environment": {"A": 1, "B": "own"}}


def test_where_compose_itself_is_wrong_about_what_it_does_not_resolve(tmp_path: Path) -> None:
    """Check the reason why the model of Compose is not ours: without resolving, it cuts variables at their colon."""
    write(tmp_path, {"compose.yaml": 'services: {a: {image: x, volumes: ["${LOC:-./d}:/x"]}}'})
    ours = oracle.essence(read(tmp_path).model)["services"]["a"]["volumes"]
    assert [(mount["kind"], mount["target"]) for mount in ours] == [("bind", "/x")]
    (theirs,) = oracle.model(tmp_path)["services"]["a"]["volumes"]
    assert theirs["type"] == "volume"
