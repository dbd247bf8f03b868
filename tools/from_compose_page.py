"""The page docs/from-compose.md: every key of the Compose specification, and what it is in the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from exporter.catalog.base import Model
from exporter.catalog.catalog import Catalog
from exporter.catalog.compose.specification import SECTIONS, TOP, VERSION, keys
from exporter.catalog.compose.words import MODELS, OWNED, Renamed, Unsupported
from exporter.catalog.reading.from_compose import Meaning, Passed, Same, meaning

if TYPE_CHECKING:
    from collections.abc import Iterator

_TITLES = {TOP: "Top level", "deploy": "`deploy` of a service", "build": "`build` of a service"} | {
    "healthcheck": "`healthcheck` of a service",
    "service": "Services",
    "network": "`networks`",
    "volume": "`volumes`",
    "secret": "`secrets`",
    "config": "`configs`",
}

_INTRODUCTION = f"""\
# From Compose

<!-- Made by `tools.from_compose_page` from the models and the vendored specification; run `make docs`. -->

Every key of the Compose specification (as in compose-go {VERSION}, whose JSON Schema is vendored), and what it is in
the catalog. `validate` gives the same answer for a key of Compose that the catalog does not have.

- *same*: the catalog has a key with this name and meaning. The [reference](catalog.md) has its forms.
- another name: write that key.
- `compose:`: write it there, see below.
- *not supported*: neither as a key nor below `compose:`.

## The key `compose`

What the catalog has no key for goes below `compose:` of a service, a store, a volume, a network, or of the whole
catalog. It is laid over what is generated, first that of the service, then that of the whole:

```yaml
services:
  web:
    image: ghcr.io/shop/web:1.4
    port: 8080
    compose:
      cpu_shares: 512
      dns: [1.1.1.1]
      security_opt: null # removes what is generated
volumes:
  data:
    compose: {{driver: local, driver_opts: {{type: nfs, device: ":/data", o: "addr=${{NFS_SERVER}}"}}}}
compose:
  services: {{gateway: {{cpu_shares: 1024}}}} # also of the generated gateway
  networks: {{edge: {{enable_ipv6: true}}}}
```

- It merges as Compose merges a second file over a first. Mappings are merged key by key; lists are joined, without
  items that are equal; other values are replaced. `command`, `entrypoint` and the `test` of a health check are
  replaced as a whole, and so is `logging` if the driver differs. `environment`, `labels`, `annotations`, `sysctls`
  and build arguments are merged by name, written as a mapping or as a list of `NAME=value`; `networks` and
  `depends_on` as a mapping or a list of names. A mount, device, `tmpfs`, secret or config replaces the one at the
  same target, an `env_file` the same file, a range of addresses (`ipam.config`) that of the same subnet.
- `null` removes the generated key. In a mapping by names it must remove something: for a variable of the shell write
  `- NAME` in a list, for an entry without settings `NAME: {{}}`.
- Texts are Compose's: it fills in `$NAME` and `${{NAME}}`, and `$$` is a `$`. Paths start from the folder of the
  generated file, `deploy/ENVIRONMENT`; the folder of the catalog is `../..`.
- `validate` and `gen` check it by the specification's JSON Schema. Secrets are refused there as well.
- An environment can override it like any other key; there, `null` removes a key of `compose:` itself.
- It applies to `compose.yaml` of the application only: not to the monitoring stack, a Swarm or Kubernetes. `validate`
  and `gen` warn where a generated file does not follow it.
- These keys are set by the catalog and refused below `compose:`: {{owned}}.

## Keys that begin with `x-`

They are allowed in every mapping with fixed keys, and ignored. Anchors in them can be used everywhere, also in merge
keys (`<<: *name`, `<<: [*a, *b]`):

```yaml
x-web: &web
  restart: always
  labels: {{team: shop}}
services:
  shop: {{<<: *web, image: "shop:1", port: 80}}
```
"""


def from_compose_page() -> str:
    """Return the whole page as Markdown."""
    owned = [
        f"`{key}`" if section in (TOP, "service") else f"`{section}.{key}`"
        for section, owners in OWNED.items()
        for key in owners
    ]
    parts = [_INTRODUCTION.replace("{owned}", ", ".join(owned))]
    for section in SECTIONS:
        parts += [f"## {_TITLES[section]}\n", _table(section)]
    return "\n".join(parts)


def rows(section: str) -> list[tuple[str, Meaning]]:
    """Return each key of a section with what it is."""
    own = {key for model in _models(section) for key in model.model_fields}
    return [(key, meaning(section, key, own)) for key in keys(section)]


def _models(section: str) -> list[type[Model]]:
    return [model for model in _models_in(Catalog, set()) if MODELS.get(model.__name__) == section]


def _models_in(annotation: Any, seen: set[object]) -> Iterator[type[Model]]:
    """Yield every model in a type, each once."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        if annotation not in seen:
            seen.add(annotation)
            yield annotation
            for field in annotation.model_fields.values():
                yield from _models_in(field.annotation, seen)
        return
    for inner in get_args(annotation):
        yield from _models_in(inner, seen)


def _table(section: str) -> str:
    lines = ["| key | here |", "|---|---|"]
    lines += [f"| `{key}` | {_cell(found)} |" for key, found in rows(section)]
    return "\n".join(lines) + "\n"


def _cell(found: Meaning) -> str:
    match found:
        case Same():
            return "same"
        case Renamed(where, note):
            names = where.replace(" and ", ", ").split(", ")
            return ", ".join(f"`{name}`" for name in names) + (f"; {note}" if note else "")
        case Passed(how):
            return f"`{how.replace(' of the service', '').replace(' of the catalog', '')}`"
        case Unsupported(why):
            return f"not supported: {why}"
