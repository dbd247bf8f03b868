"""`command` and `entrypoint` in compose.yaml: the container gets the words that Compose would give it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.catalog.reading.problems import CatalogError
from exporter.outputs.base import OutputError
from exporter.outputs.compose import render
from exporter.outputs.images import render as render_images
from tests.outputs.catalogs import catalog_of
from tests.outputs.compose_files import assert_valid, compose_of, docker_compose, written

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = {
    "text": ("command: npm run 'a b$x'", {"command": ["npm", "run", "a b$$x"]}),
    "a number": ("command: 8080", {"command": ["8080"]}),
    "a list": ("command: [a b, $c]", {"command": ["a b", "$$c"]}),
    # A variable may hold no word, or several: Compose splits what it has filled in.
    "text with a variable": ("command: 'serve ${MORE:-} -x \"$y\"'", {"command": 'serve ${MORE:-} -x "$$y"'}),
    "a list with a variable": ("command: [serve, '${MORE:-}']", {"command": ["serve", "${MORE:-}"]}),
    "no command": ("command: ''", {}),
    "an entry point": (
        "entrypoint: /bin/sh -c, command: a",
        {"entrypoint": ["/bin/sh", "-c"], "command": ["a"]},
    ),
    "no entry point": ("entrypoint: []", {"entrypoint": []}),
    "an empty entry point": ("entrypoint: ''", {"entrypoint": []}),
}


@pytest.mark.parametrize("case", COMMANDS)
def test_services_and_stores(case: str, tmp_path: Path) -> None:
    text, expected = COMMANDS[case]
    catalog = catalog_of(
        tmp_path,
        f"project: shop\nservices: {{a: {{image: 'a:1', {text}}}}}\nstores: {{b: {{engine: redis, {text}}}}}\n",
    )
    services = compose_of(catalog)["services"]
    for name in ("a", "b"):
        found = {key: services[name][key] for key in ("entrypoint", "command") if key in services[name]}
        assert found == expected


def test_both_versions_of_compose_take_it(tmp_path: Path) -> None:
    services = "\n".join(
        f"  s{number}: {{image: 'a:1', {text}}}" for number, (text, _) in enumerate(COMMANDS.values())
    )
    folder = written(render, catalog_of(tmp_path, f"project: shop\nservices:\n{services}\n"), tmp_path)
    assert_valid(folder)
    loaded = docker_compose(folder, "config", MORE="--a --b")["services"]
    assert loaded["s3"]["command"] == 'serve --a --b -x "$$y"'


def test_a_mistake_is_one_sentence_at_its_place(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"services\.a\.command.* holds ; outside of quotes"):
        catalog_of(tmp_path, "project: shop\nservices: {a: {image: 'a:1', command: 'a; b'}}\n")


def test_a_recipe_takes_words_and_refuses_variables(tmp_path: Path) -> None:
    text = "project: shop\nservices: {{a: {{build: {{runtime: python}}, command: {command}}}}}\n"
    files = {
        file.path: file.text
        for file in render_images(catalog_of(tmp_path, text.format(command="python 'a b.py'")))
    }
    assert 'CMD ["python", "a b.py"]' in files["a/Dockerfile"]
    with pytest.raises(OutputError, match=r"services\.a\.command contains \$\{"):
        list(render_images(catalog_of(tmp_path, text.format(command="'python ${FILE}'"))))
