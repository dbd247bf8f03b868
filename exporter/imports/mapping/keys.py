"""How each key of a Compose service is carried over: one table.

Keys that the catalog has under Compose's name are carried as they are; `services.py` has the functions of those that
need one.
"""

from __future__ import annotations

SAME = frozenset(
    [
        "cap_drop",
        "configs",
        "container_name",
        "devices",
        "entrypoint",
        "command",
        "expose",
        "extra_hosts",
        "gpus",
        "group_add",
        "healthcheck",
        "hostname",
        "init",
        "logging",
        "network_mode",
        "networks",
        "platform",
        "ports",
        "privileged",
        "pull_policy",
        "security_opt",
        "shm_size",
        "stop_signal",
        "sysctls",
        "tmpfs",
        "ulimits",
        "user",
        "working_dir",
    ]
)
"""Carried unchanged in meaning, with --own. `read_only` is only a service's."""

RENAMED = {"cap_add": "capabilities", "stop_grace_period": "stop_grace"}
"""The same value under the catalog's name."""

PASSED = frozenset(
    [
        "blkio_config",
        "cgroup",
        "cgroup_parent",
        "cpu_period",
        "cpu_quota",
        "cpu_rt_period",
        "cpu_rt_runtime",
        "cpu_shares",
        "cpuset",
        "mem_reservation",
        "mem_swappiness",
        "memswap_limit",
        "oom_kill_disable",
        "oom_score_adj",
        "storage_opt",
        "device_cgroup_rules",
        "runtime",
        "userns_mode",
        "uts",
        "ipc",
        "pid",
        "dns",
        "dns_opt",
        "dns_search",
        "domainname",
        "mac_address",
        "stdin_open",
        "tty",
        "annotations",
        "label_file",
        "post_start",
        "pre_stop",
        "models",
    ]
)
"""Under `compose:`, as they are written."""

NOTED = {
    "attach": "it concerns the terminal of docker compose up",
    "develop": "it concerns docker compose watch",
    "isolation": "it concerns Windows",
    "credential_spec": "it concerns Windows",
    "cpu_count": "it concerns Windows",
    "cpu_percent": "it concerns Windows",
    "external_links": "put both on one network instead",
    "version": "Compose ignores it",
    "jobs": "Compose ignores it",
}
"""Left out, and why that changes nothing here."""

REFUSED = {
    "provider": "it is no container",
    "use_api_socket": "it gives the container all of the engine",
    "volumes_from": "mount the same volumes instead",
}
"""The service can be watched and not be owned."""

LIMITS = {"cpus": "cpu", "mem_limit": "memory", "pids_limit": "processes"}

DEPLOY_LEFT = (
    *((key,) for key in ("placement", "update_config", "rollback_config", "endpoint_mode", "mode", "labels")),
    *(("restart_policy", key) for key in ("delay", "max_attempts", "window")),
    *(("resources", "reservations", key) for key in ("cpus", "generic_resources")),
)
"""Paths below `deploy` that only Swarm reads."""
