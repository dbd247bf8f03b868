"""The key `volumes` of a service or store: what is mounted into the container."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from exporter.catalog.base import AbsenceError, Model, one_or_many
from exporter.catalog.values.sizes import ByteSize
from exporter.catalog.values.texts import Interpolated, without_variables
from exporter.catalog.values.variables import fields
from exporter.catalog.values.words import shown

_PATH = (".", "/", "~")
_MODES: dict[str, dict[str, object]] = {
    "rw": {},
    "ro": {"read_only": True},
    **{word: {"bind": {"selinux": word}} for word in ("z", "Z")},
    **{word: {"consistency": word} for word in ("cached", "delegated", "consistent")},
    **{
        word: {"bind": {"propagation": word}}
        for word in ("private", "rprivate", "shared", "rshared", "slave", "rslave")
    },
    "nocopy": {"volume": {"nocopy": True}},
}
"""Options after the second colon, and what they are in the long form."""
HOW = "write name:/path or ./folder:/path, with :ro for read-only"


def is_folder(source: str) -> bool:
    """True if this text, with the defaults of its variables, is a folder of the host and not a volume."""
    known = without_variables(source)
    return (source if known is None else known).startswith(_PATH)


def _checked_target(text: str) -> str:
    if not text.startswith(("/", "${")):
        raise ValueError(f"{shown(text)} is not an absolute path; it begins with /")
    return text


class Bind(Model):
    """Options of a folder of the host."""

    propagation: Literal["private", "rprivate", "shared", "rshared", "slave", "rslave"] | None = Field(
        default=None, description="Which further mounts are seen on the other side."
    )
    create_host_path: bool | None = Field(
        default=None,
        description="Create a missing folder; default: false.",
    )
    selinux: Literal["z", "Z"] | None = Field(
        default=None,
        description="SELinux: z for a folder that containers share, Z for one of this container.",
    )
    recursive: Literal["enabled", "disabled", "writable", "readonly"] | None = Field(
        default=None, description="How mounts below it are mounted; needs Compose 2."
    )


class VolumeOptions(Model):
    """Options of a named volume."""

    nocopy: bool | None = Field(
        default=None, description="Do not fill an empty volume from the image's folder."
    )
    subpath: Interpolated | None = Field(
        default=None, description="Folder inside the volume to mount; needs Compose 2."
    )


class Tmpfs(Model):
    """Options of a folder in memory."""

    size: ByteSize | None = Field(default=None, description="Its size.")
    mode: int | None = Field(default=None, description="Its mode, such as 0o1777; needs Compose 2.")


class Mount(Model):
    """A volume or a folder inside the container."""

    type: Literal["bind", "volume", "tmpfs"] | None = Field(
        default=None, description="What is mounted; default: by the source."
    )
    source: Interpolated | None = Field(
        default=None,
        description="A name in volumes, or a path that begins with . or /; default: an anonymous volume.",
    )
    target: Annotated[Interpolated, AfterValidator(_checked_target)] = Field(
        description="The absolute path inside the container."
    )
    read_only: bool = Field(default=False, description="Mount it read-only.")
    consistency: Literal["cached", "delegated", "consistent"] | None = Field(
        default=None, description="Accepted for Docker Desktop; engines ignore it."
    )
    bind: Bind = Field(default=Bind(), description="Options of a folder of the host.")
    volume_options: VolumeOptions = Field(
        default=VolumeOptions(), alias="volume", description="Options of a named volume."
    )
    tmpfs: Tmpfs = Field(default=Tmpfs(), description="Options of a folder in memory.")

    @property
    def folder(self) -> str | None:
        """Return the path on the host, with its variables; None if it is no folder of the host."""
        if self.source is None or self.type in ("volume", "tmpfs"):
            return None
        return self.source if self.type == "bind" or is_folder(self.source) else None

    @property
    def volume(self) -> str | None:
        """Return the volume's name; None if it is a folder, or if only a variable knows the name."""
        if self.source is None or self.folder is not None or self.type == "tmpfs":
            return None
        return without_variables(self.source)

    @property
    def undecided(self) -> bool:
        """True if a variable without a default decides whether it is a volume or a folder."""
        return self.source is not None and self.type is None and not self.folder and not self.volume

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.type == "tmpfs" and self.source is not None:
            raise ValueError("a tmpfs has no source; remove it")
        if self.type == "bind" and self.source is None:
            raise AbsenceError("a bind needs a source, the folder of the host")
        return self


def _shorthand(value: object) -> object:
    """Return the long form of `source:target`, `source:target:options` or the path of an anonymous volume."""
    if not isinstance(value, str):
        return value
    parts = fields(value)
    if len(parts) == 1 and value.startswith("/"):
        return {"target": value}
    options = parts[2].split(",") if len(parts) > 2 else []
    if len(parts) not in (2, 3) or not all(parts) or not parts[1].startswith(("/", "${")):
        raise ValueError(f"{shown(value)} is not a mount; {HOW}")
    long: dict[str, object] = {"source": parts[0], "target": parts[1]}
    for option in options:
        if option not in _MODES:
            raise ValueError(f"{shown(value)}: the option {shown(option)} is not one of {', '.join(_MODES)}")
        for key, item in _MODES[option].items():
            inner = long.get(key)
            long[key] = {**inner, **item} if isinstance(inner, dict) and isinstance(item, dict) else item
    return long


MountOrShort = Annotated[Mount, BeforeValidator(_shorthand, json_schema_input_type=Mount | str)]
Mounts = Annotated[tuple[MountOrShort, ...], one_or_many(Mount | str)]
