"""One model of several files, as Compose 2 itself makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.imports import oracle
from tests.imports.files import read, write

if TYPE_CHECKING:
    from pathlib import Path

BASE = """
services:
  web:
    image: nginx:1.27
    command: nginx -g "daemon off;"
    entrypoint: [/entry, "a b"]
    restart: no
    environment:
      - A=1
      - B=from base
      - PASSED
    labels: {one: 1, two: true, version: 1.10}
    ports: ["8080:80", "127.0.0.1:8443:443/tcp", "9000-9001:9000-9001/udp"]
    expose: [80, "81"]
    volumes: ["data:/data", "./conf:/etc/nginx:ro", "/var/cache"]
    tmpfs: /run:size=64m
    dns: 1.1.1.1
    cap_add: [NET_ADMIN]
    depends_on: [db]
    networks: [front]
    extra_hosts: ["a:10.0.0.1"]
    logging: {driver: json-file, options: {max-size: 10m}}
    healthcheck: {test: curl -f localhost, interval: 1m30s, retries: 3}
    ulimits: {nproc: 65535, nofile: {soft: 1, hard: 2}}
    build: ./web
    secrets: [key]
    configs: [{source: site, target: /etc/site}]
    deploy: {resources: {limits: {cpus: "0.5", memory: 50M}}, labels: {x: y}}
    profiles: [tools]
    group_add: [1, wheel]
    security_opt: ["no-new-privileges:true"]
    devices: ["/dev/a:/dev/b:r"]
    sysctls: {net.core.somaxconn: 1024}
  db:
    image: postgres
volumes: {data: }
networks: {front: {ipam: {config: [{subnet: 10.0.0.0/24, gateway: 10.0.0.1}]}}}
secrets: {key: {file: ./key}}
configs: {site: {content: "a"}}
x-own: {a: 1}
"""


def _over(text: str) -> dict[str, str]:
    return {"compose.yaml": BASE, "compose.override.yaml": text}


CASES: dict[str, dict[str, str]] = {
    "one file": {"compose.yaml": BASE},
    "lists join and entries of the same thing are replaced": _over(
        """
        services:
          web:
            environment: [B=over, C=3]
            ports: ["8080:80", "81:81"]
            volumes: ["other:/data", "more:/more"]
            cap_add: [NET_ADMIN, SYS_TIME]
            expose: ["80", 82]
            dns: [8.8.8.8, 1.1.1.1]
            tmpfs: ["/run:size=1m", /tmp]
            extra_hosts: ["a:10.0.0.1", "a:10.0.0.2", b=::1]
            secrets: [{source: other, target: /run/secrets/key}, more]
            configs: [{source: other, target: /etc/site}]
            devices: ["/dev/c:/dev/b"]
            security_opt: ["label:disable"]
            group_add: [adm]
            profiles: [tools, debug]
            networks: [back]
            depends_on: [cache]
          cache: {image: redis}
        volumes: {other: {name: real}, more: {external: true}}
        secrets: {other: {environment: X}, more: {external: true}}
        configs: {other: {file: ./x}}
        networks: {back: }
        """
    ),
    "mappings merge with lists": _over(
        """
        services:
          web:
            environment: {B: 017, C: , D: 1.10}
            labels: ["two=2", three]
            sysctls: ["net.core.somaxconn=2048", "a.b=1"]
            extra_hosts: {b: 10.0.0.3}
            networks: {front: {aliases: [x]}, back: {ipv4_address: 10.1.0.5}}
            depends_on: {db: {condition: service_healthy, restart: true}}
            build: {dockerfile: Other, args: {A: 1}}
            deploy: {labels: [x=z, w=1]}
        networks: {back: }
        """
    ),
    "some keys are replaced as a whole": _over(
        """
        services:
          web:
            command: [sh, -c, x]
            entrypoint: run "it now"
            healthcheck: {test: [CMD, true-ish], timeout: 5s}
            ulimits: {nofile: 9, nproc: {soft: 3, hard: 4}}
            logging: {driver: syslog, options: {tag: t}}
            deploy: {resources: {limits: {memory: 1G}}}
            image: other
        networks: {front: {ipam: {config: [{subnet: 10.0.0.0/24, gateway: 10.0.0.2}, {subnet: 10.9.0.0/24}]}}}
        """
    ),
    "null keeps what there was, except for commands": _over(
        """
        services:
          web: {image: , environment: , ports: , command: , entrypoint: , build: , volumes: , dns: }
          db:
        """
    ).copy()
    | {
        "compose.override.yaml": "services: {web: {image: , environment: , command: , entrypoint: , build: , dns: }}"
    },
    "logging of the same driver merges": _over(
        "services: {web: {logging: {driver: json-file, options: {max-file: 3}}}}"
    ),
    "logging without a driver merges": _over("services: {web: {logging: {options: {max-file: 3}}}}"),
    "reset and override": _over(
        """
        services:
          web:
            ports: !reset []
            environment: !override {ONLY: this}
            labels: {one: !reset null}
            volumes: !override
              - new:/new
            command: !reset null
            build: !reset
            healthcheck: !override {test: [NONE]}
            deploy: {resources: !reset null}
          db: !reset null
        volumes: {new: }
        """
    ),
    "a third file goes on after a reset": {
        "a.yaml": BASE,
        "b.yaml": "services: {web: {ports: !reset [], environment: !reset []}}",
        "c.yaml": 'services: {web: {ports: ["1:1"], environment: {Z: z}}}',
    },
    "anchors, merge keys and lists of them": {
        "compose.yaml": """
        x-env: &env {A: 1, B: 2}
        x-log: &log
          logging: {driver: json-file}
        x-all: &all {restart: always, environment: *env}
        services:
          one:
            <<: [*all, *log]
            image: x
            environment: {C: 3}
          two:
            image: &image y
            environment:
              <<: *env
              B: two
          three:
            <<: *all
            image: *image
            restart: no
        """
    },
    "a merge key brings back what a tag resets": {
        "compose.yaml": """
        x-base: &base {image: x, ports: ["1:1"], volumes: ["/a"]}
        services:
          a:
            <<: *base
            ports: !reset []
            volumes: !override ["/b"]
        """
    },
    "a folder of its own name": {
        "compose.yaml": "services: {Web_1.x: {image: a}, b-c: {image: b, links: [Web_1.x:w]}}"
    },
    "commands": {
        "compose.yaml": "services:\n"
        + "".join(
            f"  s{index}: {{image: x, command: {text}}}\n"
            for index, text in enumerate(
                (
                    """'sh -c "a b" c'""",
                    "'a && b'",
                    """'a "b; c" d; e'""",
                    """'a 2>err'""",
                    """'a b2>err'""",
                    r"""'a\ b \"c\" \tx'""",
                    '''"a 'b \\\\ c' d"''',
                    """'a "" b'""",
                    """'echo $$(date) x'""",
                    """'echo $$(a "b c) d'""",
                    """'echo `a b` c'""",
                    "''",
                    "' a  b '",
                    """'--x="a b"c'""",
                    "[a, 'b c', '$$X']",
                )
            )
        )
    },
    "extends in the same file, and a chain": {
        "compose.yaml": """
        services:
          a: {image: a, environment: {A: 1, B: 1}, ports: ["1:1"], depends_on: [z], command: a}
          b: {extends: a, environment: [B=2], ports: ["2:2"]}
          c: {extends: {service: b}, image: c, ports: !override ["3:3"], environment: {C: 3}, command: }
          z: {image: z}
        """
    },
    "extends takes the service before overrides": {
        "compose.yaml": """
        services:
          base: {image: base, environment: {A: 1}}
          web: {extends: base}
        """,
        "compose.override.yaml": "services: {base: {image: changed, environment: {B: 2}}, web: {labels: {l: 1}}}",
    },
    "extends in an override": {
        "compose.yaml": "services: {web: {image: web, environment: {A: 1}}}",
        "compose.override.yaml": """
        services:
          common: {image: common, environment: {A: 0, B: 2}}
          web: {extends: common, environment: {C: 3}}
        """,
    },
    "extends in another file": {
        "compose.yaml": """
        services:
          web:
            extends: {file: common/base.yaml, service: app}
            environment: {A: 2}
            ports: !reset []
        """,
        "common/base.yaml": """
        services:
          app: {extends: {file: ../other.yaml, service: root}, environment: {A: 1, B: 1}, ports: ["1:1"]}
        """,
        "other.yaml": "services: {root: {image: root, user: 1:1, environment: [R=1]}}",
    },
    "includes": {
        "compose.yaml": """
        include:
          - db/compose.yaml
          - path: [cache/a.yaml, cache/b.yaml]
            project_directory: cache
        services: {web: {image: web, depends_on: [db, cache]}}
        volumes: {own: }
        """,
        "db/compose.yaml": """
        include: [../deep/compose.yaml]
        services: {db: {image: postgres, environment: {A: 1}}}
        volumes: {db: }
        x-ignored: 1
        """,
        "deep/compose.yaml": "services: {deep: {image: deep}}\nsecrets: {s: {environment: S}}",
        "cache/a.yaml": 'services: {cache: {image: redis, ports: ["1:1"]}}',
        "cache/b.yaml": 'services: {cache: {ports: !override ["2:2"]}}',
    },
    "profiles, and the services of all of them": {
        "compose.yaml": """
        services:
          app: {image: a, depends_on: {seed: {condition: service_completed_successfully, required: false}}}
          seed: {image: s, profiles: [seed]}
        """
    },
    "expressions stay as they are": {
        "compose.yaml": """
        services:
          a:
            image: "${REG:-docker.io}/a:${TAG?needed}"
            environment:
              A: ${A:-${B:-c d}}
              B: $$HOME and $HOME
              C: ${D:+x}
            volumes: ["./d:/${TO}"]
            env_file: ["${FILE:-a.env}"]
            command: ["${X:-1 2}"]
        """,
        "a.env": "",
    },
    "long forms": {
        "compose.yaml": """
        services:
          a:
            image: a
            ports: [{target: 80, published: "8080", host_ip: 127.0.0.1, protocol: udp}, {target: 81}]
            volumes:
              - {type: bind, source: ./x, target: /x, read_only: true, bind: {propagation: rshared}}
              - {type: volume, source: v, target: /v, volume: {nocopy: true}}
              - {type: tmpfs, target: /t, tmpfs: {size: 1000}}
            env_file: [{path: ./a.env, required: false}, ./b.env]
            gpus: all
            tmpfs: [/a, /b]
            stop_grace_period: 1m
            shm_size: 64m
            init: true
            read_only: true
            x-mine: {y: 1}
          b:
            image: b
            gpus: [{driver: nvidia, count: 2}]
            network_mode: service:a
            deploy: {replicas: 2, resources: {reservations: {devices: [{capabilities: [gpu], count: 1}]}}}
        volumes: {v: {driver: local, driver_opts: {type: nfs}, labels: [a=b]}, e: {external: true, name: real}}
        networks: {n: {external: {name: old}}, i: {internal: true}}
        """,
        "a.env": "",
        "b.env": "",
    },
    "two documents in one file": {
        "compose.yaml": """
        services: {a: {image: a, environment: {A: 1}}}
        ---
        services: {a: {environment: {B: 2}}, b: {image: b}}
        """
    },
}


@pytest.mark.parametrize("case", CASES)
def test_the_model_is_that_of_compose(tmp_path: Path, case: str) -> None:
    folder = write(tmp_path, CASES[case])
    names = () if "compose.yaml" in CASES[case] else tuple(CASES[case])
    assert oracle.essence(read(folder, *names).model) == oracle.essence(oracle.model(folder, names))
