"""Containers as an engine describes them."""

from __future__ import annotations

from typing import Any

from exporter.host.containers import Container, container_of


def container(service: str = "web", number: int = 1, **values: Any) -> Container:
    """Return a container that runs and is healthy unless `values` say otherwise; `image` is a
    letter, `tag` its tag."""
    given: dict[str, Any] = {
        "state": "running",
        "health": None,
        "exit_code": 0,
        "restart": "unless-stopped",
        "image": "a",
    }
    given |= {"tag": "v1", "hash": "h1", "name": f"shop-live-{service}-{number}", **values}
    health: dict[str, Any] = {"Health": {"Status": given["health"], "Log": []}} if given["health"] else {}
    return container_of(
        {
            "Id": f"{service}{number}".ljust(64, "0"),
            "Name": f"/{given['name']}",
            "Image": image_id(given["image"]),
            "State": {"Status": given["state"], "ExitCode": given["exit_code"], **health},
            "HostConfig": {"RestartPolicy": {"Name": given["restart"]}},
            "Config": {
                "Image": given.get("image_name", f"shop/{service}:{given['tag']}"),
                "Labels": {
                    "com.docker.compose.service": service,
                    "com.docker.compose.container-number": str(number),
                    "com.docker.compose.config-hash": given["hash"],
                },
            },
            "NetworkSettings": {"Networks": given.get("networks", {})},
        }
    )


def image_id(letter: str) -> str:
    """Return the id of an image that is identified by a letter."""
    return "sha256:" + (letter * 64)[:64]
