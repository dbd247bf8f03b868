"""Tags of images: a release's tag for people, and checks of tags."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exporter.host.failures import WRONG_USAGE, OperationError
from exporter.host.shown import shown

if TYPE_CHECKING:
    from exporter.host.site import Site

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_ID_CHARACTERS = 12
"""Length of an image's id as `docker images` shows it."""
ROLLBACK = "rollback-"
"""Prefix of the tags that keep the images from before a deploy."""


def is_tag(text: str) -> bool:
    """True if an image can have this tag."""
    return _TAG.fullmatch(text) is not None


def tag_of(name: str) -> str:
    """Return the tag in an image's name: `latest` if it has none, or the short id if it has a digest."""
    reference, _, digest = name.partition("@")
    if reference.startswith("sha256:"):
        reference, digest = "", reference
    _, colon, tag = reference.rpartition("/")[2].partition(":")
    if colon:
        return tag
    return short_id(digest) if digest else "latest"


def short_id(digest: str) -> str:
    """Return the part of an image's id that people compare."""
    return digest.removeprefix("sha256:")[:_ID_CHARACTERS]


def chosen_tag(asked: str, site: Site) -> str:
    """Return the tag to deploy: the requested one, or TAG, or the catalog's, or the commit's.

    Raises:
        OperationError: There is none, or it is not a valid tag.
    """
    tag = asked or site.tag or site.commit()
    if not tag:
        raise OperationError("there is no git commit to take the tag from; use --tag TAG", WRONG_USAGE)
    if not is_tag(tag):
        raise OperationError(f"{shown(tag)} is not a valid image tag; use one such as 1.4.2", WRONG_USAGE)
    return tag


def rollback_name(compose_project: str, service: str, deploy: str) -> str:
    """Return the name that keeps the image that `service` ran before `deploy`."""
    return f"{compose_project}/{service}:{ROLLBACK}{deploy}"
