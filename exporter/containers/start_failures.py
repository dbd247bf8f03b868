"""Why the engine could not start a container, as one of a closed list: the value of a label."""

from __future__ import annotations

from enum import StrEnum


class StartFailure(StrEnum):
    """A reason. `MEANINGS` says it in words."""

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
    StartFailure.RESOURCES: "The host refuses a limit, or has no memory or disk left.",
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
"""How Docker's and Podman's errors say it. The first that fits counts: most errors also name the runtime."""
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
"""What engine and runtime say before the cause, which would be cut off behind it."""
_ENDPOINT = "driver failed programming external connectivity on endpoint "
_LOOKED_AT = 4000
"""Characters of the error."""


def reason_of(error: str) -> StartFailure:
    """Return the reason that the engine's error stands for."""
    text = error[:_LOOKED_AT].lower()
    return next(
        (reason for reason, words in _WORDS if any(word in text for word in words)), StartFailure.OTHER
    )


def cause_of(error: str) -> str:
    """Return the end of the engine's error that says what is wrong. It is still a peer's text."""
    rest = error
    while True:
        lower = rest[:_LOOKED_AT].lower()
        wrapper = next((each for each in _WRAPPERS if lower.startswith(each)), "")
        if lower.startswith(_ENDPOINT):
            wrapper = lower.partition("): ")[0] + "): " if "): " in lower else ""
        if not wrapper or len(wrapper) >= len(rest):
            return rest
        rest = rest[len(wrapper) :]
