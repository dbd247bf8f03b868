"""Reasons why the engine could not start a container: a closed list, used as values of a label."""

from __future__ import annotations

from enum import StrEnum


class StartFailure(StrEnum):
    """A reason for a failed start; `MEANINGS` describes each."""

    COMMAND = "command"
    PORT = "port"
    MOUNT = "mount"
    NETWORK = "network"
    DEVICE = "device"
    IMAGE = "image"
    RESOURCES = "resources"
    RUNTIME = "runtime"
    OTHER = "other"


MEANINGS = {
    StartFailure.COMMAND: "The command or its user is not in the image, or the command cannot be executed.",
    StartFailure.PORT: "A port or an address of the host is in use or missing.",
    StartFailure.MOUNT: "A volume or a folder cannot be mounted.",
    StartFailure.NETWORK: "A network is missing, or has no free address.",
    StartFailure.DEVICE: "A device of the host is missing.",
    StartFailure.IMAGE: "The image is missing or damaged.",
    StartFailure.RESOURCES: "The host refuses a limit, or is out of memory or disk space.",
    StartFailure.RUNTIME: "The container runtime failed in another way.",
    StartFailure.OTHER: "Any other reason.",
}

_WORDS: tuple[tuple[StartFailure, tuple[str, ...]], ...] = (
    (
        StartFailure.PORT,
        ("port is already allocated", "address already in use", "ports are not available", "cannot assign requested"),
    ),
    (
        StartFailure.COMMAND,
        ('exec: "', "executable file", "exec format error", "unable to find user", "passwd file", "open executable"),
    ),
    (StartFailure.MOUNT, ("mount", "bind source", "volume")),
    (
        StartFailure.RESOURCES,
        ("no space left", "cannot allocate memory", "cgroup", "rlimit", "too many open files", "memory"),
    ),
    (StartFailure.DEVICE, ("device", "gpu")),
    (StartFailure.NETWORK, ("network", "endpoint", "no available ip")),
    (StartFailure.IMAGE, ("image", "layer")),
    (StartFailure.RUNTIME, ("runtime", "shim", "containerd", "runc", "crun")),
)  # fmt: skip
"""Words in errors of Docker and Podman. The first match counts: most errors also name the runtime."""
_WRAPPERS = (
    "failed to create shim task: ",
    "failed to create task for container: ",
    "oci runtime create failed: ",
    "oci runtime error: ",
    "runc create failed: ",
    "runc: ",
    "crun: ",
    "unable to start container process: ",
    "error during container init: ",
    "error starting userland proxy: ",
)
"""Prefixes that engine and runtime put before the cause; with them, the cause would be cut off at the end."""
_ENDPOINT = "driver failed programming external connectivity on endpoint "
_LOOKED_AT = 4000
"""Characters of the error."""


def reason_of(error: str) -> StartFailure:
    """Return the reason for an error of the engine."""
    text = error[:_LOOKED_AT].lower()
    return next(
        (reason for reason, words in _WORDS if any(word in text for word in words)), StartFailure.OTHER
    )


def cause_of(error: str) -> str:
    """Return the part of the engine's error that says what is wrong. It is still text from a peer."""
    rest = error
    while True:
        lower = rest[:_LOOKED_AT].lower()
        wrapper = next((each for each in _WRAPPERS if lower.startswith(each)), "")
        if lower.startswith(_ENDPOINT):
            wrapper = lower.partition("): ")[0] + "): " if "): " in lower else ""
        if not wrapper or len(wrapper) >= len(rest):
            return rest
        rest = rest[len(wrapper) :]
