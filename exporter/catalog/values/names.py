"""Names in the catalog: of services, secrets, variables, metrics and labels."""

from __future__ import annotations

import re
from typing import Annotated

from exporter.catalog.values.scalars import text_schema, value_type
from exporter.catalog.values.words import shown

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_MAX_LABEL = 63
_SIGNS = re.compile(r"[-_.]+")
_CONTAINER_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?")
_VARIABLE_NAME = re.compile(r"[^\s=\0]+")
_SECRET_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?")
_ENGINE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_MAX_ENGINE_NAME = 255
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _bounded(value: object, pattern: re.Pattern[str], refusal: str, limit: int, what: str = "a name") -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"{shown(value)} {refusal}")
    if len(value) > limit:
        raise ValueError(f"{shown(value)} has {len(value)} characters; {what} has at most {limit}")
    return value


def parse_label(value: object) -> str:
    """Parse a DNS label: it becomes a host name, a container name and the value of a metric's label."""
    rule = "use lower-case letters, digits and hyphens, beginning and ending with a letter or digit"
    return _bounded(value, _LABEL, f"is not a DNS label; {rule}", _MAX_LABEL, "a DNS label")


def parse_container_name(value: object) -> str:
    """Parse a name that Docker gives containers, networks and volumes."""
    rule = "use letters, digits, _, . and -, beginning and ending with a letter or digit"
    return _bounded(value, _CONTAINER_NAME, f"is not a name that Docker takes; {rule}", _MAX_LABEL)


def alike(name: str) -> str:
    """Return what names have in common that cannot be told apart: DNS ignores case, and variables and files have only
    one of the signs between words.
    """
    return _SIGNS.sub("-", name.lower())


def parse_variable_name(value: object) -> str:
    """Parse the name of a container's variable: any that Compose takes, also with dots and dashes."""
    if not isinstance(value, str) or not _VARIABLE_NAME.fullmatch(value) or not value.isprintable():
        raise ValueError(f"{shown(value)} is not the name of a variable; it holds no space and no =")
    return value


def parse_secret_name(value: object) -> str:
    if not isinstance(value, str) or not _SECRET_NAME.fullmatch(value) or len(value) > _MAX_LABEL:
        raise ValueError(f"{shown(value)} is not a secret name; use up to 63 letters, digits, _, . and -")
    return value


def parse_engine_name(value: object) -> str:
    """Parse a name that the engine or Compose has given: of a project, service, container or network."""
    rule = "use letters, digits, _, . and -, beginning with a letter or digit"
    return _bounded(value, _ENGINE_NAME, f"is not a name of the engine; {rule}", _MAX_ENGINE_NAME)


def parse_environment_name(value: object) -> str:
    if not isinstance(value, str) or not _ENVIRONMENT_NAME.fullmatch(value):
        raise ValueError(
            f"{shown(value)} is not the name of an environment variable; use letters, digits and _"
        )
    return value


def parse_label_name(value: object) -> str:
    if not isinstance(value, str) or not _ENVIRONMENT_NAME.fullmatch(value) or value.startswith("__"):
        raise ValueError(f"{shown(value)} is not a label name; use letters, digits and _")
    return value


def parse_metric_name(value: object) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError(f"{shown(value)} is not a metric name; write one such as http_requests_total")
    return value


Label = Annotated[
    str,
    *value_type(
        parse_label,
        text_schema(r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "api-gateway") | {"maxLength": 63},
        "name",
    ),
]


ContainerName = Annotated[
    str,
    *value_type(
        parse_container_name,
        text_schema(r"^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$", "api-gateway") | {"maxLength": 63},
        "name",
    ),
]
"""Name of a service, store, volume or network, as Docker takes it."""


VariableName = Annotated[
    str, *value_type(parse_variable_name, text_schema(r"^[^\s=]+$", "LOG_LEVEL"), "variable name")
]
"""Name of a container's variable."""


SecretName = Annotated[
    str,
    *value_type(
        parse_secret_name,
        text_schema(r"^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$", "db_password") | {"maxLength": 63},
        "secret name",
    ),
]


EngineName = Annotated[
    str,
    *value_type(
        parse_engine_name,
        text_schema(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", "shop_default") | {"maxLength": _MAX_ENGINE_NAME},
        "name",
    ),
]
"""Name of something that exists on an engine."""


EnvironmentName = Annotated[
    str,
    *value_type(
        parse_environment_name, text_schema(r"^[A-Za-z_][A-Za-z0-9_]*$", "LOG_LEVEL"), "variable name"
    ),
]


MetricName = Annotated[str, *value_type(parse_metric_name, {"type": "string", "minLength": 1}, "metric name")]
"""Name of a series; since Prometheus 3 any text is valid."""


LabelName = Annotated[
    str,
    *value_type(parse_label_name, text_schema(r"^[A-Za-z_][A-Za-z0-9_]*$", "region"), "label name"),
]
"""Name of a label of a series."""
