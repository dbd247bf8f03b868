"""The reference page of the catalog (docs/catalog.md), made from the models' schema and the tables beside them."""

from __future__ import annotations

import json
from typing import Any

from exporter.catalog.keys.container.alerts import ALERTS, Threshold
from exporter.catalog.keys.stores import ENGINES
from exporter.catalog.reading.schema import model_schema

_INTRODUCTION = """\
# The catalog

<!-- Made by `tools.catalog_page` from the models. Change those, then run `make docs`. -->

One YAML file, `config.yaml` by default, names a team's services and everything around them. `config.example.yaml` is
a whole one. `python -m exporter validate` checks it and shows every mistake at once, with its line and what would be
right; `python -m exporter schema` prints the JSON Schema that editors complete from.

A service needs a name, an image and a port; everything else has a default:

```yaml
project: shop
services:
  web:
    image: ghcr.io/shop/web:1.4
    port: 8080
    health: /health
```

## How it is read

- **YAML 1.2.** Only `true` and `false` are booleans; `off`, `on` and `no` are text, and mean what they say where a key
  takes `off`. A key that appears twice in one mapping, or that is not known, is a mistake. Anchors, aliases and merge
  keys (`<<`) work. A file has at most 5 MiB.
- **Shorthand.** Where a key takes a mapping, one plain value often stands for its main key: `health: /health` is
  `health: {path: /health}`. Where a key takes a list, one value stands for a list of one.
- **Durations** are `250ms`, `15s`, `1m30s`, `7d`; **sizes** `64k`, `512Mi`, `1G`; **percentages** `99.9%`. Each has
  its unit: a bare number is a mistake, except a size in bytes.
- **Names** of services, stores, volumes, owners and environments are DNS labels: lower-case letters, digits and
  hyphens, at most 63 characters. Services and stores share one set of names.
- **Paths of files** start from the folder of the catalog.

## Probes

`health` makes an HTTP probe named `health`; `probes` are further checks, or take its place. A service with a port and
neither of them gets a TCP probe named `port`. A store gets a TCP probe named `port` too, on its own port or its
engine's. Where a probe does not say whom to ask, it asks the service at its `address`, or else the environment's.

Interval and timeout come from the probe, else its service's `probe`, else `defaults.probe`, else 15s and 5s. A timeout
that is longer than its interval is a mistake, unless it was inherited from further away than the interval was: then it
is shortened to the interval.

`send` is what goes out as a request's body; `body`, `json` and `header` are conditions on the answer. `contains` and
`absent` take literal text, `matches` and `not_matches` regular expressions. Their syntax is RE2's
(https://github.com/google/re2/wiki/Syntax), as in Prometheus and blackbox_exporter. Look-around and back-references do
not exist. `$` is the end of the whole text: where a line break may follow, write `\\s*$`, or `(?m)` for the end of a
line.

HTTP probes read an answer as browsers do:

- HTTPS offers HTTP/2 and HTTP/1.1, and the server chooses. `versions: "1.1"` offers HTTP/1.1 only. For HTTP/2 without
  TLS, or without asking, set `http2_prior_knowledge: true`.
- A condition on a header looks at each line of it, such as each `Set-Cookie`, and also at all of a list together.
- Credentials follow a redirect to the same origin, and from http to https on the same host. Cookies are kept for one
  run.
- `json` reads at most `max_json` (256Ki) of a body. A larger body fails with the reason `size`.
- A certificate must name the host in subjectAltName; the common name does not count.

## Secrets

The catalog holds no secrets. Where a key takes one, write a reference:

| reference | is read from |
|---|---|
| `${NAME}` | the environment variable; inside longer text too, and `$${` is a literal `${` |
| `${NAME:-default}`, `${NAME-default}` | the same; the default where it is not set (with the colon: or empty) |
| `${NAME:?message}`, `${NAME?message}` | the same; the message is part of the error where it is not set (or empty) |
| `{secret: NAME}` | a name in `secrets` |
| `{file: PATH}` | the file |
| `{env: NAME}` | the environment variable |

`${NAME}` works in every text that is sent or that a secret can be part of: headers, bodies, user names, proxies, the
path and query of a URL (where the value is percent-encoded as a whole; labels and pages show `${NAME}`), variables of
containers. In `image`, `registry`, `command`, `labels`, `user` and build arguments, Compose fills it in. In any other
text, such as the host of a URL, `${` is a mistake.

`validate` and `gen` warn about parameters, headers, variables and options whose value looks like a secret. List names
that are not secret under `not_secret`.

A name in `secrets` is read from the first of these: the file that the variable `NAME_FILE` names (in capitals:
`DB_PASSWORD_FILE` for `db_password`); the variable in its `env`; `/run/secrets/NAME`, where Docker mounts secrets, if
it exists; `NAME` in the folder that the variable `SECRETS_FOLDER` names, as the generated scripts set it, if it can be
read; its `file`; `./secrets/NAME`. One line break at the end of a file is not part of the secret.

`run` and `check` need every secret that a probe of their environment refers to, and say at the start which cannot be
read. `check SERVICE` needs only those of that service, and `validate` needs none, so it works in CI. A value is
read each time it is needed, so a rotated secret needs no restart.

## Environments

The first environment is the default. Beside its own settings (below), an environment holds any other key of the catalog
except `project`, and lays those values over the rest: mappings merge key by key, anything else replaces what was
there, and null (`~`) takes a key away. The catalog must be right without any environment, too. A service that only an
environment names must have an image, a build or probes of its own.
"""


def reference_page() -> str:
    """The whole page, as Markdown."""
    schema = model_schema()
    definitions: dict[str, Any] = schema["$defs"]
    parts = [
        _INTRODUCTION,
        "## Every key",
        "",
        "### Catalog",
        "",
        schema["description"],
        "",
        _table(schema, definitions),
    ]
    for name in _in_order(schema, definitions):
        definition = definitions[name]
        parts += [f"### {name}", "", definition["description"], "", _table(definition, definitions)]
    parts += [_alerts(), _engines()]
    return "\n".join(parts).rstrip() + "\n"


def _in_order(schema: dict[str, Any], definitions: dict[str, Any]) -> list[str]:
    """Definitions in the order in which a reader meets them."""
    order: list[str] = []
    waiting = _references(schema["properties"])
    while waiting:
        name = waiting.pop(0)
        if name not in order and "properties" in definitions[name]:
            order.append(name)
            waiting = _references(definitions[name]["properties"]) + waiting
    return order


def _references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [name for item in schema for name in _references(item)]
    if not isinstance(schema, dict):
        return []
    own = [schema["$ref"].rpartition("/")[2]] if isinstance(schema.get("$ref"), str) else []
    return own + [name for value in schema.values() for name in _references(value)]


def _table(definition: dict[str, Any], definitions: dict[str, Any]) -> str:
    required = definition.get("required", ())
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for key, schema in definition["properties"].items():
        default = "required" if key in required else _default(schema)
        # A key whose meaning is its model's is not described twice in the schema.
        meaning = schema.get("description") or definitions[_references(schema)[0]]["description"]
        rows.append(f"| `{key}` | {_cell(_type(schema))} | {default} | {_cell(meaning)} |")
    return "\n".join(rows) + "\n"


def _default(schema: dict[str, Any]) -> str:
    if "default" not in schema:
        return ""
    default = schema["default"]
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _type(schema: dict[str, Any]) -> str:
    if "title" in schema and "$ref" not in schema and "properties" not in schema:
        return str(schema["title"])
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(
            dict.fromkeys(_type(item) for item in schema["anyOf"] if item.get("type") != "null")
        )
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return ", ".join(f"`{value if isinstance(value, str) else json.dumps(value)}`" for value in values)
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if schema.get("type") == "object":
        inner = next(iter(schema.get("patternProperties", {}).values()), schema.get("additionalProperties"))
        return f"names, each with {_type(inner)}" if isinstance(inner, dict) else "mapping"
    words = {"string": "text", "integer": "whole number", "boolean": "true or false", "number": "number"}
    return words.get(str(schema.get("type")), "value")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _alerts() -> str:
    rows = [
        "## Alerts",
        "",
        "What `alerts` can name, under `defaults` or on one service or store. `off` switches an alert off.",
        "",
        "| alert | fires when | for | severity | threshold |",
        "|---|---|---|---|---|",
    ]
    for name, alert in ALERTS.items():
        threshold = _threshold(alert.threshold) if alert.threshold else ""
        rows.append(
            f"| `{name}` | {alert.meaning} | {duration_text(alert.for_)} | {alert.severity} | {threshold} |"
        )
    return "\n".join(rows) + "\n"


def _threshold(threshold: Threshold) -> str:
    if threshold.kind == "percentage":
        return f"{threshold.value}%"
    return duration_text(float(threshold.value)) if threshold.kind == "duration" else str(threshold.value)


def duration_text(seconds: float) -> str:
    """The shortest way to write a duration of whole units."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if seconds and seconds % size == 0:
            return f"{seconds // size:.0f}{unit}"
    return f"{seconds * 1000:.0f}ms" if seconds else "at once"


def _engines() -> str:
    rows = ["## Engines", "", "| engine | port | image | version | user |", "|---|---|---|---|---|"]
    for name, engine in ENGINES.items():
        rows.append(
            f"| `{name}` | {engine.port} | `{engine.image}` | {engine.version} | {engine.user or ''} |"
        )
    rows.append("| `sqlite` | | | | a file inside a service's container |")
    return "\n".join(rows) + "\n"
