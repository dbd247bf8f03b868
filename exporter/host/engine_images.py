"""Calls for images."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from exporter.host.engine_calls import Calls, as_json, as_text, as_texts
from exporter.host.engine_values import Image
from exporter.host.failures import NotThere, Refused
from exporter.host.shown import shown


class ImageCalls(Calls):
    """Calls for the images of the engine and of registries."""

    def image(self, name: str) -> Image | None:
        """Return an image by name or id; None if the engine does not have it."""
        described = self.inspect_image(name)
        if described is None:
            return None
        config = described.get("Config")
        config = config if isinstance(config, dict) else {}
        labels = config.get("Labels")
        return Image(
            id=as_text(described.get("Id")),
            tags=as_texts(described.get("RepoTags")),
            digests=as_texts(described.get("RepoDigests")),
            architecture=as_text(described.get("Architecture")),
            size=described["Size"] if isinstance(described.get("Size"), int) else 0,
            user=as_text(config.get("User")),
            labels={str(key): str(value) for key, value in labels.items()}
            if isinstance(labels, dict)
            else {},
        )

    def inspect_image(self, name: str) -> dict[str, Any] | None:
        """Return the engine's whole description of an image; None if the engine does not have it."""
        try:
            with self._call(f"the image {shown(name)}"):
                return as_json(self._client.inspect_image(name))
        except NotThere:
            return None

    def pull(self, name: str) -> None:
        """Pull an image from its registry. Raises Refused if the registry does not have it."""
        with self._patient(), self._call(f"the image {shown(name)}"):
            self._client.pull(name)
        if self.image(name) is None:  # errors of a pull are in the text of the answer, with status 200
            raise Refused(f"the image {shown(name)} could not be pulled")

    def find_in_registry(self, name: str) -> None:
        """Look up an image in its registry. Raises Refused if it is not there, or the registry cannot be reached."""
        with self._call(f"the image {shown(name)}"):
            self._client.inspect_distribution(name)

    def tag(self, image: str, name: str) -> None:
        """Give an image another name, `REPOSITORY:TAG`."""
        repository, _, tag = name.rpartition(":")
        with self._call(f"the tag {shown(name)}"):
            self._client.tag(image, repository, tag)

    def untag(self, name: str) -> None:
        """Remove a name of an image, and with its last name the image. A missing image is ignored."""
        with suppress(NotThere), self._call(f"the removal of the image {shown(name)}"):
            self._client.remove_image(name)
