"""The reference page of the catalog (docs/catalog.md), made from the models' schema and its tables."""

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
a complete example. `python -m exporter validate` reports all mistakes at once, each with its line and the fix;
`python -m exporter schema` prints the JSON Schema, which gives editors completion.

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

- **YAML 1.2.** Only `true` and `false` are booleans; `off`, `on` and `no` are text, and a key that takes `off`
  also takes it unquoted. Duplicate and unknown keys are mistakes, except keys that begin with `x-`, which are ignored.
  Anchors, aliases and merge keys (`<<`) work. A file has at most 5 MiB.
- **Shorthand.** Where a key takes a mapping, a plain value often sets its main key: `health: /health` is
  `health: {path: /health}`. Where a key takes a list, a single value is a list of one.
- **Durations** are `250ms`, `15s`, `1m30s`, `7d`; **sizes** `64k`, `512Mi`, `1G`; **percentages** `99.9%`. The unit
  is required, except for a size in bytes.
- **Names** of services, stores, volumes, owners and environments are DNS labels: lower-case letters, digits and
  hyphens, at most 63 characters. Services and stores share one set of names.
- **Paths of files** start from the folder of the catalog.
- **Keys of Compose** that the catalog does not have go below `compose:`; [From Compose](from-compose.md) lists
  them all.

## Probes

`health` adds an HTTP probe named `health`; `probes` adds further probes or replaces it. A service that has a port and
neither of them gets a TCP probe named `port`. A store gets a probe named after its engine, such as `redis`, on its own
port or the engine's; a probe of that name in `probes` replaces it. A probe without a target probes the service at the
service's `address`, or else the environment's.

Interval and timeout come from the probe, else its service's `probe`, else `defaults.probe`, else 15s and 5s. A timeout
longer than its interval is a mistake. Only a timeout from a more general level than the interval is shortened to the
interval.

`send` is the request body; `body`, `json` and `header` are conditions on the response. `contains` and `absent` take
literal text, `matches` and `not_matches` regular expressions. Their syntax is RE2's
(https://github.com/google/re2/wiki/Syntax), as in Prometheus and blackbox_exporter. Look-around and back-references do
not exist. `$` is the end of the whole text: where a line break may follow, write `\\s*$`, or `(?m)` for the end of a
line.

HTTP probes read a response as browsers do:

- HTTPS offers HTTP/2 and HTTP/1.1, and the server chooses. `versions: "1.1"` offers HTTP/1.1 only. For HTTP/2 without
  TLS, or without negotiation, set `http2_prior_knowledge: true`.
- A condition on a header checks each of its lines, such as each `Set-Cookie`, and also the joined list.
- Credentials follow a redirect to the same origin, and from http to https on the same host. Cookies are kept for one
  probe run.
- `json` reads at most `max_json` (256Ki) of a body. A larger body fails with the reason `size`.
- A certificate must name the host in subjectAltName; the common name does not count.

## Secrets

The catalog holds no secrets. Where a key needs one, write a reference:

| reference | value |
|---|---|
| `${NAME}` | the environment variable; also works inside longer text; `$${` is a literal `${` |
| `${NAME:-default}`, `${NAME-default}` | the same; if not set (with the colon: or empty), the default |
| `${NAME:?message}`, `${NAME?message}` | the same; if not set (with the colon: or empty), an error with the message |
| `${NAME:+text}`, `${NAME+text}` | the text if it is set (with the colon: and not empty), else nothing; Compose 2 |
| `{secret: NAME}` | the secret of this name in `secrets` |
| `{file: PATH}` | the content of the file |
| `{env: NAME}` | the environment variable |

`${NAME}` works in every text that is sent or can contain a secret: headers, bodies, user names, proxies, the
path and query of a URL (where the value is percent-encoded as a whole; labels and pages show `${NAME}`), container
variables. In `image`, `registry`, `command`, `labels`, `user` and build arguments, Compose fills it in. In any other
text, such as the host of a URL, `${` is a mistake.

`validate` and `gen` warn about parameters, headers, variables and options whose value looks like a secret. List names
that are not secret in `not_secret`.

A secret in `secrets` is read from the first of these:

1. the file named by the variable `NAME_FILE` (in capitals: `DB_PASSWORD_FILE` for `db_password`)
2. the variable in its `env`
3. `/run/secrets/NAME`, where Docker mounts secrets, if it exists
4. `NAME` in the folder named by the variable `SECRETS_FOLDER`, which the generated scripts set, if it can be read
5. its `file`
6. `./secrets/NAME`

One line break at the end of a file is not part of the secret.

`run` and `check` need every secret that a probe of their environment refers to, and report at the start which cannot be
read. `check SERVICE` needs only those of that service, and `validate` needs none, so it works in CI. A value is
read each time it is needed, so no restart is needed after a rotation.

## Environments

The first environment is the default. In addition to its own settings (below), an environment can set any key of the
catalog except `project`. Its values override those of the catalog: mappings are merged key by key, other values are
replaced, and null (`~`) removes a key. The catalog must also be valid without any environment. A service that only an
environment defines must have its own image, build or probes.
"""


def reference_page() -> str:
    """Return the whole page as Markdown."""
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
    """Return the definitions in the order in which a reader meets them."""
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
        # The schema does not repeat the description of a key's model.
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
        "The names that `alerts` takes, in `defaults` or in a service or store. `off` disables an alert.",
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
    """Return a duration as text, in the largest unit that divides it."""
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
