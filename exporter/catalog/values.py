"""Text that a person writes, parsed once into a typed value: durations, sizes, percentages and their kin.

Each type is an annotation with its parser and its JSON Schema. A parser raises ValueError with one sentence.
"""

from __future__ import annotations

import re
from decimal import Decimal
from string import Formatter
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from exporter.catalog.problems import quoted

if TYPE_CHECKING:
    from collections.abc import Callable

_DURATION_UNITS = {"ms": Decimal("0.001"), "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d|w))+")
_DURATION_PART = re.compile(r"([0-9.]+)(ms|s|m|h|d|w)")
_SIZE_UNITS = {
    "": 1, "B": 1,
    "k": 1000, "K": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4,
    "Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "Ti": 1024**4,
}  # fmt: skip
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([kKMGT]i?)?B?")
_PERCENTAGE = re.compile(r"([0-9]+(?:\.[0-9]+)?)%")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_MAX_LABEL = 63
_SECRET_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?")
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_USERINFO = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#\s]*@")
_STATUS = re.compile(r"([1-5])[xX]{2}|([1-5][0-9]{2})(?:\s*-\s*([1-5][0-9]{2}))?")
_HOST = re.compile(
    r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?|\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%[\w.-]+)?\]?"
)
MAX_DURATION_SECONDS = 10 * 365 * 86400


def value_type(parse: Callable[[Any], Any], schema: dict[str, Any], name: str) -> Any:
    """An annotation's metadata: how the text is read and what an editor should know of it.

    `name` is what the reference page calls the type.
    """
    return (PlainValidator(parse), WithJsonSchema({**schema, "title": name}))


def parse_duration(value: object) -> float:
    """Seconds of `15s`, `1m30s`, `250ms`, `7d`."""
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise ValueError(
            f"{shown(value)} is not a duration; write a number and a unit, such as 250ms, 15s, 1m30s or 7d"
        )
    try:
        seconds = sum(
            Decimal(number) * _DURATION_UNITS[unit] for number, unit in _DURATION_PART.findall(value)
        )
    except ArithmeticError:
        seconds = Decimal(0)
    if not 0 < seconds <= MAX_DURATION_SECONDS:
        raise ValueError(f"{shown(value)} is not a duration between 1ms and 10 years")
    return float(seconds)


def parse_size(value: object) -> int:
    """Bytes of `512Mi`, `1G`, `64k`, `100`."""
    match = (
        _SIZE.fullmatch(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else None
    )
    if not match:
        raise ValueError(f"{shown(value)} is not a size; write a number and a unit, such as 64k, 512Mi or 1G")
    size = Decimal(match[1]) * _SIZE_UNITS[match[2] or ""]
    if size != int(size) or size <= 0:
        raise ValueError(f"{shown(value)} is not a whole number of bytes above 0")
    return int(size)


def parse_percentage(value: object) -> Decimal:
    """The number before the sign: 99.9 of `99.9%`, exact."""
    match = _PERCENTAGE.fullmatch(value) if isinstance(value, str) else None
    if not match or not 0 <= Decimal(match[1]) <= 100:
        raise ValueError(
            f"{shown(value)} is not a percentage from 0% to 100%; write it with its sign, such as 99.9%"
        )
    return Decimal(match[1])


def parse_label(value: object) -> str:
    """A DNS label: it becomes a host name, a container name and the value of a metric's label."""
    if not isinstance(value, str) or not _LABEL.fullmatch(value):
        raise ValueError(
            f"{shown(value)} is not a DNS label; use lower-case letters, digits and hyphens, "
            "beginning and ending with a letter or digit"
        )
    if len(value) > _MAX_LABEL:
        raise ValueError(f"{shown(value)} has {len(value)} characters; a DNS label has at most {_MAX_LABEL}")
    return value


def parse_secret_name(value: object) -> str:
    if not isinstance(value, str) or not _SECRET_NAME.fullmatch(value) or len(value) > _MAX_LABEL:
        raise ValueError(
            f"{shown(value)} is not a name of a secret; use up to 63 letters, digits, _, . and -"
        )
    return value


def parse_environment_name(value: object) -> str:
    if not isinstance(value, str) or not _ENVIRONMENT_NAME.fullmatch(value):
        raise ValueError(
            f"{shown(value)} is not a name of an environment variable; use letters, digits and _"
        )
    return value


def parse_text(value: object) -> str:
    """Text; a number is taken as it is written, so `version: 8.0` means 8.0."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, bool):
        text = "true" if value else "false"
        raise ValueError(f'expected text, found the boolean {text}; write it in quotes: "{text}"')
    raise ValueError(f"expected text, found {kind(value)}")


def parse_regex(value: object) -> str:
    pattern = parse_text(value)
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{quoted(pattern)} is not a regular expression: {error}") from None
    return pattern


def parse_json_path(value: object) -> str:
    """An RFC 9535 query. The library is imported here, since few catalogs pay for it."""
    from jsonpath_rfc9535 import JSONPathError
    from jsonpath_rfc9535 import compile as compile_path

    path = parse_text(value)
    try:
        compile_path(path)
    except JSONPathError as error:
        reason = str(error).split(", line", 1)[0]
        raise ValueError(f"{quoted(path)} is not a JSON path (RFC 9535): {reason}") from None
    return path


def parse_url(value: object) -> str:
    """An http or https URL without a user name or password."""
    return check_url(value, ("http", "https"))


def check_url(
    value: object, schemes: tuple[str, ...], credentials: str = "write them under basic_auth"
) -> str:
    """`credentials` says where a user name and password belong."""
    example = f"{schemes[0]}://host:port/path"
    if not isinstance(value, str):
        raise ValueError(f"expected a URL such as {example}, found {kind(value)}")  # noqa: TRY004 - pydantic collects ValueErrors
    if _USERINFO.match(value):
        raise ValueError(f"a URL cannot hold a user name or password; {credentials}")
    try:
        parts = urlsplit(value)
        valid = parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid or not value.isprintable() or " " in value:
        raise ValueError(f"{shown(value)} is not a URL; write one such as {example}")
    return value


def parse_path(value: object) -> str:
    """A path of an HTTP request, perhaps with a query."""
    if not isinstance(value, str) or not value.startswith("/") or not value.isprintable() or " " in value:
        raise ValueError(f"{shown(value)} is not a path; it begins with / and holds no space")
    return value


def parse_host(value: object) -> str:
    if not isinstance(value, str) or not _HOST.fullmatch(value) or len(value) > 253:
        raise ValueError(f"{shown(value)} is not a host name or an IP address")
    return value


def split_address(value: object) -> tuple[str, int | None]:
    """Host and port of `host`, `host:port` or `[v6]:port`; the brackets are taken off.

    Raises:
        ValueError: it is not one.
    """
    text = value if isinstance(value, str) else ""
    host, separator, port = text.rpartition(":")
    if not separator or (text.count(":") > 1 and not host.endswith("]")):
        host, port = text, ""
    parse_host(host)
    if (port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536)) or (
        separator and text.endswith(":")
    ):
        raise ValueError(f"{shown(value)} is not a host and port; a port is a number from 1 to 65535")
    return host.removeprefix("[").removesuffix("]"), int(port) if port else None


def parse_listen(value: object) -> tuple[str, int]:
    """`0.0.0.0:9877`, `:9877` or `9877`."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    host, port = split_address(
        "0.0.0.0" + text if text.startswith(":") else f"0.0.0.0:{text}" if text.isdigit() else text
    )
    if port is None:
        raise ValueError(f"{shown(value)} is not an address to listen on; write one such as 0.0.0.0:9877")
    return host, port


def parse_statuses(value: object) -> tuple[tuple[int, int], ...]:
    """Ranges of `200`, `2xx`, `200-299` or a list of these."""
    return tuple(_status_range(item) for item in (value if isinstance(value, tuple) else (value,)))


def _status_range(value: object) -> tuple[int, int]:
    match = _STATUS.fullmatch(str(value)) if isinstance(value, str | int) else None
    if not match:
        raise ValueError(f"{shown(value)} is not a status; write 200, 2xx, 200-299 or a list of these")
    if match[1]:
        return int(match[1]) * 100, int(match[1]) * 100 + 99
    first, last = int(match[2]), int(match[3] or match[2])
    if first > last:
        raise ValueError(f"{shown(value)} is not a status; the first number of a range is the smaller one")
    return first, last


def parse_header_name(value: object) -> str:
    if not isinstance(value, str) or not _HEADER_NAME.fullmatch(value):
        raise ValueError(f"{shown(value)} is not a header name; use letters, digits and hyphens")
    return value


_ADDRESS_FIELDS = ("service", "port", "project", "environment")


def parse_address_template(value: object) -> str:
    if not isinstance(value, str) or not value or " " in value:
        raise ValueError(f"{shown(value)} is not an address; write one such as localhost:{{port}}")
    try:
        fields = [
            (name, spec, conversion)
            for _, name, spec, conversion in Formatter().parse(value)
            if name is not None
        ]
    except ValueError:
        raise ValueError(f"{shown(value)} is not an address; a {{ or }} is missing") from None
    for name, spec, conversion in fields:
        if name not in _ADDRESS_FIELDS or spec or conversion:
            raise ValueError(
                f"{shown(value)} is not an address; it may hold {', '.join('{' + field + '}' for field in _ADDRESS_FIELDS)}"
            )
    return value


_CRON_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_CRON_NAMES = {
    3: {
        name: str(index)
        for index, name in enumerate(
            ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
        )
    },
    4: {name: str(index) for index, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])},
}
_CRON_PART = re.compile(r"(?:\*|([0-9a-z]+)(?:-([0-9a-z]+))?)(?:/([1-9][0-9]?))?")


def parse_cron(value: object) -> str:
    """Five fields: minute, hour, day of month, month, day of week."""
    fields = value.lower().split() if isinstance(value, str) else []
    if len(fields) != 5 or not all(_cron_field(field, index) for index, field in enumerate(fields)):
        raise ValueError(
            f"{shown(value)} is not a schedule; write the five fields of cron: "
            'minute, hour, day, month, weekday, such as "0 3 * * *"'
        )
    return " ".join(fields)


def _cron_field(field: str, index: int) -> bool:
    low, high = _CRON_RANGES[index]
    for part in field.split(","):
        match = _CRON_PART.fullmatch(part)
        if not match:
            return False
        ends = [_CRON_NAMES.get(index, {}).get(end, end) for end in match.group(1, 2) if end]
        if not all(end.isdigit() and low <= int(end) <= high for end in ends):
            return False
        if len(ends) == 2 and int(ends[0]) > int(ends[1]):
            return False
    return True


def shown(value: object) -> str:
    """What was found, short: text in quotes, other scalars bare, containers by kind."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else kind(value)


def kind(value: object) -> str:
    """What sort of value it is, in YAML's words."""
    names = {str: "text", bool: "a boolean", type(None): "nothing", dict: "a mapping", tuple: "a list"}
    return names.get(type(value), "a number")


def _text_schema(pattern: str, *examples: str) -> dict[str, Any]:
    return {"type": "string", "pattern": pattern, "examples": list(examples)}


_seconds_as_text = PlainSerializer(lambda seconds: f"{seconds:g}s", when_used="json")

Duration = Annotated[
    float,
    *value_type(
        parse_duration,
        _text_schema(r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+$", "15s", "1m30s", "250ms"),
        "duration",
    ),
    _seconds_as_text,
]
"""Seconds."""
Size = Annotated[
    int,
    *value_type(
        parse_size,
        {
            "type": ["string", "integer"],
            "pattern": r"^[0-9]+(\.[0-9]+)?([kKMGT]i?)?B?$",
            "examples": ["512Mi", "1G"],
            "minimum": 1,
        },
        "size",
    ),
]
"""Bytes."""
Percentage = Annotated[
    Decimal, *value_type(parse_percentage, _text_schema(r"^[0-9]+(\.[0-9]+)?%$", "99.9%"), "percentage")
]
"""The number before the sign, from 0 to 100, exact."""
Label = Annotated[
    str,
    *value_type(
        parse_label,
        _text_schema(r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "api-gateway") | {"maxLength": 63},
        "name",
    ),
]
SecretName = Annotated[
    str,
    *value_type(
        parse_secret_name,
        _text_schema(r"^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$", "db_password") | {"maxLength": 63},
        "secret name",
    ),
]
EnvironmentName = Annotated[
    str,
    *value_type(
        parse_environment_name, _text_schema(r"^[A-Za-z_][A-Za-z0-9_]*$", "LOG_LEVEL"), "variable name"
    ),
]
Text = Annotated[str, *value_type(parse_text, {"type": ["string", "number"]}, "text")]
Regex = Annotated[
    str, *value_type(parse_regex, {"type": ["string", "number"], "format": "regex"}, "regular expression")
]
JsonPath = Annotated[str, *value_type(parse_json_path, _text_schema(r"^\$", "$.status"), "JSON path")]
Url = Annotated[str, *value_type(parse_url, _text_schema(r"^https?://", "https://example.com/health"), "URL")]
UrlPath = Annotated[str, *value_type(parse_path, _text_schema("^/", "/health"), "path")]
Host = Annotated[str, *value_type(parse_host, {"type": "string", "minLength": 1}, "host")]
Address = Annotated[
    tuple[str, int | None],
    *value_type(split_address, _text_schema(r"^\S+$", "mail.example.com:25"), "host:port"),
]
Listen = Annotated[
    tuple[str, int],
    *value_type(
        parse_listen, {"type": ["string", "integer"], "examples": ["0.0.0.0:9877", ":9877"]}, "host:port"
    ),
]
_STATUS_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"type": "string", "pattern": r"^([1-5][xX]{2}|[1-5][0-9]{2}(\s*-\s*[1-5][0-9]{2})?)$"},
    ]
}
Statuses = Annotated[
    tuple[tuple[int, int], ...],
    *value_type(
        parse_statuses,
        {"anyOf": [*_STATUS_SCHEMA["anyOf"], {"type": "array", "items": _STATUS_SCHEMA, "minItems": 1}]},
        "status or list",
    ),
]
HeaderName = Annotated[
    str,
    *value_type(
        parse_header_name, _text_schema(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", "Content-Type"), "header name"
    ),
]
Cron = Annotated[
    str, *value_type(parse_cron, _text_schema(r"^\S+(\s+\S+){4}$", "0 3 * * *"), "cron schedule")
]
AddressTemplate = Annotated[
    str,
    *value_type(
        parse_address_template, {"type": "string", "examples": ["localhost:{port}"]}, "address template"
    ),
]
IpProtocol = Literal["any", "ip4", "ip6", "prefer_ip4", "prefer_ip6"]
