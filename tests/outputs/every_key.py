"""A catalog that uses every key that has Compose's name and meaning."""

from __future__ import annotations

EVERY_KEY = r"""
project: shop
services:
  Web_1.x:
    image: "${IMAGE:-ghcr.io/shop/web}:${TAG:-1.2}"
    port: 8080
    environment:
      - PLAIN=a=b
      - FROM.SHELL
      - WITH-DASH=${LEVEL:-info}
      - MESSAGE=${SET:?say it}
    env_file: ./web.env
    ports: ["127.0.0.1:8080:8080", "9000-9002:9000-9002", "53:5353/udp", "${PORT:-3000}:3000", "[::1]:9443:9443", 7000]
    expose: [8125, "9100-9105"]
    hostname: web.local
    container_name: shop-web
    networks: {front: {aliases: [www, shop], ipv4_address: 172.30.0.10}, default: }
    healthcheck: {test: "curl -f http://localhost:8080/ || exit 1", interval: 10s, start_period: 0s}
    labels: [traefik.enable=true, alone]
    depends_on:
      db: {condition: service_healthy}
      worker: {condition: service_started, required: false}
      migrate: {condition: service_completed_successfully}
    volumes:
      - data:/data
      - ./conf:/etc/web
      - ./ro:/ro:ro,z
      - ${LIBRARY:-./library}:/library
      - ${ANYWHERE}:/anywhere
      - /anonymous
      - {type: bind, source: ./long, target: /long, bind: {propagation: rslave}}
      - {type: volume, source: Old_data, target: /old, read_only: true, volume: {nocopy: true}}
      - {type: tmpfs, target: /cache, tmpfs: {size: 64m}}
    tmpfs: "/run:size=32m,mode=1777"
    extra_hosts: ["host.docker.internal:host-gateway", "db.example=192.168.1.5", "v6:::1"]
    ulimits: {nofile: {soft: 1024, hard: 65536}, nproc: 512, memlock: -1}
    shm_size: 1gb
    devices: ["/dev/null:/dev/zero:r"]
    gpus: all
    init: false
    sysctls: [net.core.somaxconn=1024]
    group_add: [audio, 1001]
    platform: linux/amd64
    pull_policy: always
    stop_signal: SIGQUIT
    working_dir: /srv
    logging: {driver: syslog, options: {syslog-address: "udp://127.0.0.1:514"}}
    configs: [motd, {source: settings, target: /etc/settings.ini}]
    cap_drop: MKNOD
    security_opt: ["seccomp:unconfined"]
    privileged: true
  worker:
    image: "w:1"
    networks: [front]
    healthcheck: {test: [CMD, "true"]}
    environment: {ENABLED: true, EMPTY: "", N: 1}
  sidecar: {image: "s:1", network_mode: "service:worker"}
  host: {image: "h:1", network_mode: host, port: 5000, ports: ["5000:5000"], address: "192.0.2.1:{port}"}
  quiet: {image: "q:1", healthcheck: {disable: true}, sysctls: {net.ipv4.ip_forward: 1}}
  migrate: {image: "m:1", restart: "no", env_file: [./a.env, ./b.env]}
  seed: {image: "seed:1", profiles: [seed], depends_on: db}
stores:
  db:
    engine: postgresql
    password: {secret: db}
    user: "1000:1000"
    volume: ./postgres
    volumes: ["./init:/docker-entrypoint-initdb.d/own:ro"]
    shm_size: 256m
  cache.1: {engine: redis, auth: off, networks: [back], depends_on: db, container_name: "${NAME:-cache}"}
networks:
  default: {labels: {team: shop}}
  front: {driver: bridge, ipam: {config: [{subnet: 172.30.0.0/24}]}, labels: [a=b], driver_opts: {x: 1}}
  back: {name: existing_back, external: true}
  unused: {internal: true}
volumes:
  data: {driver: local, driver_opts: {type: nfs, device: ":/export", o: "addr=192.0.2.1"}, labels: {keep: true}}
  Old_data: {external: true, name: old.volume}
configs: {motd: {file: ./motd}, settings: {file: "${SETTINGS:-./settings.ini}"}}
secrets: {db: }
environments: {production: {}}
"""

ONLY_COMPOSE_2 = r"""
project: shop
services:
  web:
    image: "w:1"
    environment: {EXTRA: "${DEBUG:+--verbose}"}
    env_file: [{path: ./web.env, required: false}]
    ports: [{target: 80, published: 8080, name: http, app_protocol: http}]
    healthcheck: {test: [CMD, x], start_interval: 1s}
    depends_on: {other: {restart: true}}
    volumes: [{source: data, target: /data, volume: {subpath: a}}]
    networks: {default: {mac_address: "02:42:ac:11:00:02", gw_priority: 1}}
    configs: [motd, level]
  other: {image: "o:1"}
volumes: {data: }
configs: {motd: {content: "hello ${USER_NAME:-you}"}, level: {environment: LEVEL}}
environments: {production: {}}
"""
