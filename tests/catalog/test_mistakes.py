"""One row per mistake: a catalog (its first line is `project: shop`) and the exact line that reports it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.catalog.doors import mistakes

if TYPE_CHECKING:
    from tests.catalog.doors import Write


@dataclass(frozen=True)
class Mistake:
    what: str
    catalog: str
    line: str


MISTAKES = [
    Mistake(
        "a variable with a secret that begins a comment in an env file",
        """
        services:
          web: {image: web, port: 80, environment: {"#TOKEN": {secret: t, as: variable}}}
        secrets: {t: {}}
        """,
        "config.yaml:3:45: services.web.environment.#TOKEN: as: variable needs another name, since Compose reads it "
        "from an env file, where this is no name; use letters, digits, _, . and -",
    ),
    # keys and types
    Mistake(
        "unknown key, with the nearest known one",
        """
        services:
          web:
            image: web
            port: 80
            helth: /health
        """,
        'config.yaml:6:5: services.web.helth: unknown key; did you mean "health"?',
    ),
    Mistake(
        "unknown key that belongs one step down",
        """
        services:
          web:
            image: web
            port: 80
            timeuot: 5s
        """,
        'config.yaml:6:5: services.web.timeuot: unknown key; did you mean "probe.timeout"?',
    ),
    Mistake(
        "unknown key of the root",
        """
        servces: {}
        """,
        'config.yaml:2:1: servces: unknown key; did you mean "services"?',
    ),
    Mistake(
        "unknown key inside a list",
        """
        services:
          web:
            image: web
            port: 80
            probes:
              - name: page
                http: {pth: /}
        """,
        'config.yaml:8:16: services.web.probes[0].http.pth: unknown key; did you mean "path"?',
    ),
    Mistake(
        "text where a number belongs",
        """
        services:
          web:
            image: web
            port: 80
            replicas: three
        """,
        'config.yaml:6:5: services.web.replicas: expected a whole number, found text "three"',
    ),
    Mistake(
        "a number in quotes",
        """
        services:
          web:
            image: web
            port: 80
            host_port: "80"
        """,
        'config.yaml:6:5: services.web.host_port: expected a whole number, found text "80"',
    ),
    Mistake(
        "a port that is none",
        """
        services:
          web:
            image: web
            port: 80
            host_port: 70000
        """,
        "config.yaml:6:5: services.web.host_port: 70000 is not allowed here; it must be at most 65535",
    ),
    Mistake(
        "a list where a mapping belongs",
        """
        services: [web]
        """,
        "config.yaml:2:1: services: expected a mapping, found a list",
    ),
    Mistake(
        "text where a mapping belongs",
        """
        services: {web: nginx}
        """,
        "config.yaml:2:12: services.web: expected a mapping, found text",
    ),
    Mistake(
        "nothing where a mapping belongs",
        """
        services:
          web:
        """,
        "config.yaml:3:3: services.web: expected a mapping, found nothing",
    ),
    Mistake(
        "a boolean where text belongs",
        """
        services:
          web:
            image: web
            port: 80
            hostname: true
        """,
        (
            "config.yaml:6:5: services.web.hostname: expected text, found the boolean true; write it in "
            'quotes: "true"'
        ),
    ),
    Mistake(
        "a value outside its choices",
        """
        services:
          web:
            image: web
            port: 80
            restart: allways
        """,
        'config.yaml:6:5: services.web.restart: "allways" is not allowed here; did you mean "always"?',
    ),
    Mistake(
        "a missing key",
        """
        stores: {db: {version: 17}}
        """,
        'config.yaml:2:10: stores.db: needs "engine"',
    ),
    Mistake(
        "a service with nothing to do",
        """
        services: {web: {description: A page}}
        """,
        (
            "config.yaml:2:12: services.web: nothing to watch or to deploy; give it an image, a build, a "
            "port, health or probes, or managed: off if somebody else runs its containers"
        ),
    ),
    Mistake(
        "a YAML number where a version in quotes belongs",
        """
        services:
          web:
            image: web
            port: 80
            health: {tls: {min_version: 1.2}}
        """,
        (
            "config.yaml:6:20: services.web.health.tls.min_version: 1.2 is not allowed here; did you mean "
            '"1.2"?'
        ),
    ),
    # references
    Mistake(
        "depends_on a service that does not exist",
        """
        services:
          web:
            image: web
            port: 80
            depends_on: [databse]
        stores: {database: {engine: redis}}
        """,
        (
            'config.yaml:6:18: services.web.depends_on[0]: unknown service or store "databse"; did you mean '
            '"database"?'
        ),
    ),
    Mistake(
        "depends_on in its long form",
        """
        services:
          web:
            image: web
            port: 80
            depends_on: {databse: {condition: started}}
        stores: {database: {engine: redis}}
        """,
        (
            'config.yaml:6:18: services.web.depends_on.databse: unknown service or store "databse"; did you '
            'mean "database"?'
        ),
    ),
    Mistake(
        "depends_on where there is nothing near",
        """
        services:
          web:
            image: web
            port: 80
            depends_on: [elsewhere]
        """,
        'config.yaml:6:18: services.web.depends_on[0]: unknown service or store "elsewhere"; known: web',
    ),
    Mistake(
        "unknown secret",
        """
        services:
          web:
            image: web
            port: 80
            secrets: [db_pass]
        secrets: {db_password: {generate: 32}}
        """,
        'config.yaml:6:15: services.web.secrets[0]: unknown secret "db_pass"; did you mean "db_password"?',
    ),
    Mistake(
        "unknown secret in a probe",
        """
        services:
          web:
            image: web
            port: 80
            health: {bearer_token: {secret: tokn}}
        secrets: {token: {generate: 32}}
        """,
        'config.yaml:6:14: services.web.health.bearer_token: unknown secret "tokn"; did you mean "token"?',
    ),
    Mistake(
        "unknown volume",
        """
        services:
          web:
            image: web
            port: 80
            volumes: dta:/app
        volumes: {data: }
        """,
        'config.yaml:6:5: services.web.volumes: unknown volume "dta"; did you mean "data"?',
    ),
    Mistake(
        "unknown owner",
        """
        services:
          web:
            image: web
            port: 80
            owner: platfrm
        owners: {platform: {}}
        """,
        'config.yaml:6:5: services.web.owner: unknown owner "platfrm"; did you mean "platform"?',
    ),
    Mistake(
        "unknown service of a route",
        """
        services:
          web:
            image: web
            port: 80
        gateway: {host: shop.example.com, routes: {/: wbe}}
        """,
        'config.yaml:6:44: gateway.routes./: unknown service "wbe"; did you mean "web"?',
    ),
    Mistake(
        "unknown service of a maintenance window",
        """
        services:
          web:
            image: web
            port: 80
        maintenance:
          - {name: weekly, when: Sun 02:00-04:00, services: [web, wbe]}
        """,
        ('config.yaml:7:59: maintenance[0].services[1]: unknown service or store "wbe"; did you mean "web"?'),
    ),
    Mistake(
        "unknown service of a SQLite file",
        """
        services:
          web:
            image: web
            port: 80
        stores: {file: {engine: sqlite, service: wbe, path: /data/file.db}}
        """,
        'config.yaml:6:33: stores.file.service: unknown service "wbe"; did you mean "web"?',
    ),
    Mistake(
        "unknown environment of a branch",
        """
        pipeline: {branches: {main: prodution}}
        environments: {production: }
        """,
        (
            'config.yaml:2:23: pipeline.branches.main: unknown environment "prodution"; did you mean '
            '"production"?'
        ),
    ),
    Mistake(
        "unknown alert",
        """
        services:
          web:
            image: web
            port: 80
            alerts: {HighMemUsage: off}
        """,
        (
            'config.yaml:6:14: services.web.alerts.HighMemUsage: unknown alert "HighMemUsage"; did you mean '
            '"HighMemoryUsage"?'
        ),
    ),
    Mistake(
        "a cycle of dependencies",
        """
        services:
          a: {image: a, depends_on: b}
          b: {image: b, depends_on: c}
          c: {image: c, depends_on: a}
        """,
        "config.yaml:3:17: services.a.depends_on: depends on itself: a -> b -> c -> a",
    ),
    Mistake(
        "a service that depends on itself",
        """
        services:
          a: {image: a, depends_on: a}
        """,
        "config.yaml:3:17: services.a.depends_on: depends on itself: a -> a",
    ),
    # duplicates
    Mistake(
        "duplicate key",
        """
        services:
          web: {image: old}
          web: {image: web}
        """,
        "config.yaml:4:3: services.web: duplicate key; the first is on line 3",
    ),
    Mistake(
        "duplicate probe name",
        """
        services:
          web:
            image: web
            port: 80
            probes:
              - {name: page, http: /}
              - {name: page, http: /other}
        """,
        (
            'config.yaml:8:10: services.web.probes[1].name: the name "page" is taken; another probe of '
            "this service already has it"
        ),
    ),
    Mistake(
        "a probe named as health is",
        """
        services:
          web:
            image: web
            port: 80
            health: /health
            probes:
              - {name: health, tcp: 80}
        """,
        (
            'config.yaml:8:10: services.web.probes[0].name: the name "health" is taken; the key health '
            "creates a probe of that name"
        ),
    ),
    Mistake(
        "a service and a store of one name",
        """
        services:
          web:
            image: web
            port: 80
        stores: {web: {engine: redis}}
        """,
        'config.yaml:6:10: stores.web: the name "web" is taken; a service already has it',
    ),
    Mistake(
        "two services on one port of the host",
        """
        services:
          web:
            image: web
            port: 80
          api: {image: api, port: 80}
        environments:
          development: {address: "localhost:{port}"}
        """,
        (
            'config.yaml:6:21: services.api.port: port 80 of the host is taken by "web"; set host_port on '
            "one of them"
        ),
    ),
    Mistake(
        "a service and a store on one port of the host",
        """
        services:
          web:
            image: web
            port: 80
        stores: {cache: {engine: redis, port: 80}}
        environments:
          development: {publish: all}
        """,
        (
            'config.yaml:6:33: stores.cache.port: port 80 of the host is taken by "web"; set host_port on '
            "one of them"
        ),
    ),
    # values
    Mistake(
        "duration without a unit",
        """
        services:
          web:
            image: web
            port: 80
            health: {interval: 15}
        """,
        (
            "config.yaml:6:14: services.web.health.interval: 15 is not a duration; write a number and a "
            "unit, such as 250ms, 15s, 1m30s or 7d"
        ),
    ),
    Mistake(
        "duration too short to keep",
        """
        services:
          web:
            image: web
            port: 80
            health: {interval: 0.001ms}
        """,
        (
            'config.yaml:6:14: services.web.health.interval: "0.001ms" is not a duration between 1ms and '
            "10 years"
        ),
    ),
    Mistake(
        "duration with an unknown unit",
        """
        services:
          web:
            image: web
            port: 80
            health: {interval: 15 sec}
        """,
        (
            'config.yaml:6:14: services.web.health.interval: "15 sec" is not a duration; write a number and '
            "a unit, such as 250ms, 15s, 1m30s or 7d"
        ),
    ),
    Mistake(
        "size",
        """
        services:
          web:
            image: web
            port: 80
            resources: {memory: 512 MB}
        """,
        (
            'config.yaml:6:17: services.web.resources.memory: "512 MB" is not a size; write a number and a '
            "unit, such as 64k, 512Mi or 1G"
        ),
    ),
    Mistake(
        "percentage without its sign",
        """
        services:
          web:
            image: web
            port: 80
            slo: {availability: 99.9}
        """,
        (
            "config.yaml:6:11: services.web.slo.availability: 99.9 is not a percentage from 0% to 100%; "
            "write it with its sign, such as 99.9%"
        ),
    ),
    Mistake(
        "percentage over 100",
        """
        services:
          web:
            image: web
            port: 80
            slo: 120%
        """,
        (
            'config.yaml:6:5: services.web.slo: "120%" is not a percentage from 0% to 100%; write it with '
            "its sign, such as 99.9%"
        ),
    ),
    Mistake(
        "an objective without an error budget",
        """
        services:
          web:
            image: web
            port: 80
            slo: 100%
        """,
        (
            "config.yaml:6:5: services.web.slo: an objective of 100% leaves no error budget; write less, "
            "such as 99.99%"
        ),
    ),
    Mistake(
        "URL of another scheme",
        """
        services:
          web:
            image: web
            port: 80
            health: {url: ftp://web/}
        """,
        (
            'config.yaml:6:14: services.web.health.url: "ftp://web/" is not a URL; write one such as '
            "http://host:port/path"
        ),
    ),
    Mistake(
        "URL that is none",
        """
        services:
          web:
            image: web
            port: 80
            health: web
        """,
        ('config.yaml:6:5: services.web.health: "web" is not a URL; write one such as http://host:port/path'),
    ),
    Mistake(
        "URL and path at once",
        """
        services:
          web:
            image: web
            port: 80
            health: {url: http://web/, path: /health}
        """,
        "config.yaml:6:5: services.web.health: url is the whole address; remove path",
    ),
    Mistake(
        "regular expression",
        """
        services:
          web:
            image: web
            port: 80
            health: {body: {matches: "("}}
        """,
        (
            'config.yaml:6:21: services.web.health.body.matches: "(" is not a regular expression (RE2): '
            "missing ): ("
        ),
    ),
    Mistake(
        "status",
        """
        services:
          web:
            image: web
            port: 80
            health: {status: 2000}
        """,
        (
            "config.yaml:6:14: services.web.health.status: 2000 is not a status; write 200, 2xx, 200-299 or "
            "a list of these"
        ),
    ),
    Mistake(
        "status range the wrong way round",
        """
        services:
          web:
            image: web
            port: 80
            health: {status: [200, 399-300]}
        """,
        (
            'config.yaml:6:14: services.web.health.status: "399-300" is not a status; the first number of a '
            "range is the smaller one"
        ),
    ),
    Mistake(
        "JSON path",
        """
        services:
          web:
            image: web
            port: 80
            health: {json: "$.["}
        """,
        (
            'config.yaml:6:14: services.web.health.json: "$.[" is not a JSON path (RFC 9535): unexpected '
            "shorthand selector '['"
        ),
    ),
    Mistake(
        "name of a header",
        """
        services:
          web:
            image: web
            port: 80
            health: {headers: {X Debug: 1}}
        """,
        (
            'config.yaml:6:24: services.web.health.headers."X Debug": "X Debug" is not a header name; use '
            "letters, digits and hyphens"
        ),
    ),
    Mistake(
        "regular expression of a header",
        """
        services:
          web:
            image: web
            port: 80
            health: {header: {Content-Type: "["}}
        """,
        (
            'config.yaml:6:23: services.web.health.header.Content-Type: "[" is not a regular expression (RE2): '
            "missing ]: ["
        ),
    ),
    Mistake(
        "method",
        """
        services:
          web:
            image: web
            port: 80
            health: {method: 'GET /'}
        """,
        (
            'config.yaml:6:14: services.web.health.method: "GET /" is not a method; write one such as GET, '
            "HEAD or POST"
        ),
    ),
    Mistake(
        "number of redirects",
        """
        services:
          web:
            image: web
            port: 80
            health: {redirects: many}
        """,
        (
            'config.yaml:6:14: services.web.health.redirects: "many" is not a number of redirects; write one '
            "from 0 to 100, or off"
        ),
    ),
    Mistake(
        "mount",
        """
        services:
          web:
            image: web
            port: 80
            volumes: data
        """,
        (
            'config.yaml:6:5: services.web.volumes: "data" is not a mount; write name:/path or '
            "./folder:/path, with :ro for read-only"
        ),
    ),
    Mistake(
        "schedule",
        """
        stores: {cache: {engine: redis, backup: 0 25 * * *}}
        """,
        (
            'config.yaml:2:33: stores.cache.backup: "0 25 * * *" is not a schedule; write the five fields of '
            'cron: minute, hour, day, month, weekday, such as "0 3 * * *"'
        ),
    ),
    Mistake(
        "time of the week",
        """
        maintenance: [{name: weekly, when: Someday}]
        """,
        (
            'config.yaml:2:30: maintenance[0].when: "Someday" is not a time of the week; write days and '
            "hours, such as Sun 02:00-04:00 or Mon-Fri 22:00-23:30"
        ),
    ),
    Mistake(
        "time zone",
        """
        maintenance: [{name: weekly, when: Sun 02:00-04:00, timezone: Europe/Berln}]
        """,
        (
            'config.yaml:2:53: maintenance[0].timezone: "Europe/Berln" is not a time zone; did you mean '
            '"Europe/Berlin"?'
        ),
    ),
    Mistake(
        "listen address",
        """
        exporter: {listen: 0.0.0.0}
        """,
        (
            'config.yaml:2:12: exporter.listen: "0.0.0.0" is not an address to listen on; write one such as '
            "0.0.0.0:9877"
        ),
    ),
    Mistake(
        "address of an environment",
        """
        environments:
          development: {address: "localhost:{prt}"}
        """,
        (
            'config.yaml:3:17: environments.development.address: "localhost:{prt}" is not an address; it may '
            "hold {service}, {port}, {project}, {environment}"
        ),
    ),
    Mistake(
        "folder of volumes without the volume",
        """
        exporter: {volumes: /volumes}
        """,
        (
            'config.yaml:2:12: exporter.volumes: "/volumes" is not a folder of volumes; write one such as '
            "/volumes/{volume}"
        ),
    ),
    Mistake(
        "folder of volumes with an unknown place",
        """
        exporter: {volumes: "/{host}/{volume}"}
        """,
        (
            'config.yaml:2:12: exporter.volumes: "/{host}/{volume}" is not a folder of volumes; it may hold '
            "{volume}, {project}, {environment}"
        ),
    ),
    Mistake(
        "backups that share a name",
        """
        stores: {data: {engine: redis, backup: true}}
        volumes: {data: {backup: true}}
        """,
        'config.yaml:3:18: volumes.data.backup: the backup of the store "data" already has this name',
    ),
    Mistake(
        "backup that has the name of the configuration's",
        """
        volumes: {configuration: {backup: true}}
        """,
        (
            "config.yaml:2:27: volumes.configuration.backup: the backup of the configuration "
            "already has the name configuration"
        ),
    ),
    Mistake(
        "file of SQLite outside every volume",
        """
        services: {web: {image: web, volumes: files:/data}}
        volumes: {files: {}}
        stores: {cache: {engine: sqlite, service: web, path: /database/cache.db}}
        """,
        (
            "config.yaml:4:48: stores.cache.path: no volume of web holds /database/cache.db: mount one there, so "
            "that the file outlives the container and the daemon can read it"
        ),
    ),
    Mistake(
        "threshold of another kind",
        """
        services:
          web:
            image: web
            port: 80
            alerts: {HighMemoryUsage: {threshold: 5s}}
        """,
        (
            "config.yaml:6:32: services.web.alerts.HighMemoryUsage.threshold: the threshold of "
            '"HighMemoryUsage" must be a percentage, found a duration'
        ),
    ),
    Mistake(
        "threshold that is none",
        """
        services:
          web:
            image: web
            port: 80
            alerts: {HighMemoryUsage: {threshold: much}}
        """,
        (
            'config.yaml:6:32: services.web.alerts.HighMemoryUsage.threshold: "much" is not a threshold; '
            "write a percentage, a duration or a number, such as 80%, 500ms or 3"
        ),
    ),
    Mistake(
        "threshold of an alert without one",
        """
        services:
          web:
            image: web
            port: 80
            alerts: {ServiceDown: {threshold: 5}}
        """,
        'config.yaml:6:28: services.web.alerts.ServiceDown.threshold: "ServiceDown" has no threshold',
    ),
    Mistake(
        "severity",
        """
        services:
          web:
            image: web
            port: 80
            alerts: {ServiceDown: {severity: crit}}
        """,
        (
            'config.yaml:6:28: services.web.alerts.ServiceDown.severity: "crit" is not allowed here; did you '
            'mean "critical"?'
        ),
    ),
    Mistake(
        "name that Docker does not take",
        """
        services: {Web!Shop: {image: web}}
        """,
        (
            'config.yaml:2:12: services.Web!Shop: "Web!Shop" is not a name that Docker takes; use letters, '
            "digits, _, . and -, beginning and ending with a letter or digit"
        ),
    ),
    Mistake(
        "name of 64 characters",
        """
        services:
          aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: {image: web}
        """,
        (
            "config.yaml:3:3: services.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: "
            '"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…" has 64 characters; a name '
            "has at most 63"
        ),
    ),
    # probes
    Mistake(
        "timeout longer than the interval",
        """
        services:
          web:
            image: web
            port: 80
            health: {interval: 5s, timeout: 10s}
        """,
        ("config.yaml:6:28: services.web.health.timeout: a timeout of 10s is longer than the interval of 5s"),
    ),
    Mistake(
        "timeout of a service longer than its interval",
        """
        services:
          web:
            image: web
            port: 80
            health: /health
            probe: {interval: 5s, timeout: 10s}
        """,
        "config.yaml:7:27: services.web.probe.timeout: a timeout of 10s is longer than the interval of 5s",
    ),
    Mistake(
        "timeout of the defaults, reported once for all",
        """
        defaults: {probe: {interval: 5s, timeout: 10s}}
        services:
          web:
            image: web
            port: 80
          api: {image: api, port: 81}
        """,
        "config.yaml:2:34: defaults.probe.timeout: a timeout of 10s is longer than the interval of 5s",
    ),
    Mistake(
        "timeout of a probe longer than the defaults' interval",
        """
        services:
          web:
            image: web
            port: 80
            health: {timeout: 20s}
        """,
        (
            "config.yaml:6:14: services.web.health.timeout: a timeout of 20s is longer than the interval of "
            "15s"
        ),
    ),
    Mistake(
        "a probe without a protocol",
        """
        services:
          web:
            image: web
            port: 80
            probes: [{name: page}]
        """,
        (
            "config.yaml:6:14: services.web.probes[0]: needs exactly one of http, tcp, dns, icmp, grpc, "
            "websocket; found none"
        ),
    ),
    Mistake(
        "a probe with two protocols",
        """
        services:
          web:
            image: web
            port: 80
            probes: [{name: page, tcp: 80, icmp: true}]
        """,
        (
            "config.yaml:6:14: services.web.probes[0]: needs exactly one of http, tcp, dns, icmp, grpc, "
            "websocket; found tcp and icmp"
        ),
    ),
    Mistake(
        "a probe without a name",
        """
        services:
          web:
            image: web
            port: 80
            probes: [{tcp: 80}]
        """,
        'config.yaml:6:14: services.web.probes[0]: needs "name"',
    ),
    Mistake(
        "a TCP probe without a port",
        """
        services:
          worker: {image: worker, probes: [{name: up, tcp: true}]}
        """,
        "config.yaml:3:47: services.worker.probes[0].tcp: needs a port; write it here or on the service",
    ),
    Mistake(
        "a gRPC probe without a port",
        """
        services:
          worker: {image: worker, probes: [{name: up, grpc: true}]}
        """,
        "config.yaml:3:47: services.worker.probes[0].grpc: needs a port; write it here or on the service",
    ),
    Mistake(
        "two addresses of a gRPC probe",
        """
        services:
          web: {image: web, probes: [{name: up, grpc: {address: "web:1", port: 2}}]}
        """,
        "config.yaml:3:41: services.web.probes[0].grpc: address already has the host and port; remove host and port",
    ),
    Mistake(
        "metadata that gRPC sets itself",
        """
        services:
          web: {image: web, probes: [{name: up, grpc: {port: 1, metadata: {grpc-timeout: 1S}}}]}
        """,
        (
            "config.yaml:3:68: services.web.probes[0].grpc.metadata.grpc-timeout: metadata cannot hold "
            '"grpc-timeout", which gRPC sets itself'
        ),
    ),
    Mistake(
        "metadata key with a space",
        """
        services:
          web: {image: web, probes: [{name: up, grpc: {port: 1, metadata: {"a b": c}}}]}
        """,
        (
            'config.yaml:3:68: services.web.probes[0].grpc.metadata."a b": "a b" is not a metadata key; use '
            "letters, digits, hyphens, dots and _"
        ),
    ),
    Mistake(
        "metadata on two lines",
        """
        services:
          web: {image: web, probes: [{name: up, grpc: {port: 1, metadata: {a: "b\\nc"}}}]}
        """,
        (
            "config.yaml:3:68: services.web.probes[0].grpc.metadata.a: metadata can hold only ASCII without "
            "line breaks; write any other value as base64, under a key that ends in -bin"
        ),
    ),
    Mistake(
        "an HTTP URL of a WebSocket",
        """
        services:
          web: {image: web, probes: [{name: up, websocket: "http://web/events"}]}
        """,
        (
            'config.yaml:3:41: services.web.probes[0].websocket: "http://web/events" is not a URL; write '
            "one such as ws://host:port/path"
        ),
    ),
    Mistake(
        "a WebSocket's URL with a fragment",
        """
        services:
          web: {image: web, probes: [{name: up, websocket: "ws://web/#top"}]}
        """,
        (
            'config.yaml:3:41: services.web.probes[0].websocket: "ws://web/#top" is not a WebSocket '
            "URL; remove the fragment"
        ),
    ),
    Mistake(
        "a WebSocket's URL and its parts",
        """
        services:
          web: {image: web, probes: [{name: up, websocket: {url: "ws://web/", scheme: wss}}]}
        """,
        "config.yaml:3:41: services.web.probes[0].websocket: url is the whole address; remove scheme",
    ),
    Mistake(
        "a header of the WebSocket handshake",
        """
        services:
          web: {image: web, port: 80, probes: [{name: up, websocket: {headers: {Sec-WebSocket-Protocol: x}}}]}
        """,
        (
            "config.yaml:3:73: services.web.probes[0].websocket.headers.Sec-WebSocket-Protocol: headers "
            'cannot hold "Sec-WebSocket-Protocol", which the handshake sets itself; use subprotocols'
        ),
    ),
    Mistake(
        "a subprotocol with a space",
        """
        services:
          web: {image: web, port: 80, probes: [{name: up, websocket: {subprotocols: [a b]}}]}
        """,
        (
            'config.yaml:3:78: services.web.probes[0].websocket.subprotocols[0]: "a b" is not a subprotocol; '
            "write a name such as graphql-transport-ws"
        ),
    ),
    Mistake(
        "a header that is absent and matches",
        """
        services:
          web:
            image: web
            port: 80
            health: {header: {Server: {absent: true, matches: nginx}}}
        """,
        (
            "config.yaml:6:23: services.web.health.header.Server: a header that must be absent has nothing "
            "to match"
        ),
    ),
    Mistake(
        "STARTTLS twice",
        """
        services:
          web:
            image: web
            port: 80
            probes: [{name: mail, tcp: {starttls: smtp, exchanges: [{starttls: true}]}}]
        """,
        (
            "config.yaml:6:27: services.web.probes[0].tcp: starttls can be written only once; servers do "
            "not support TLS inside TLS"
        ),
    ),
    # secrets
    Mistake(
        "a password in the catalog",
        """
        services:
          web:
            image: web
            port: 80
            health: {basic_auth: {username: me, password: hunter2}}
        """,
        (
            "config.yaml:6:41: services.web.health.basic_auth.password: a secret cannot be written in the "
            "catalog; write ${NAME}, {secret: NAME} or {file: PATH}"
        ),
    ),
    Mistake(
        "user and password in one text",
        """
        services:
          web:
            image: web
            port: 80
            health: {basic_auth: "me:hunter2"}
        """,
        "config.yaml:6:14: services.web.health.basic_auth: expected a mapping, found text",
    ),
    Mistake(
        "a token in the catalog",
        """
        services:
          web:
            image: web
            port: 80
            health: {bearer_token: hunter2}
        """,
        (
            "config.yaml:6:14: services.web.health.bearer_token: a secret cannot be written in the catalog; write "
            "${NAME}, {secret: NAME} or {file: PATH}"
        ),
    ),
    Mistake(
        "a token in a header",
        """
        services:
          web:
            image: web
            port: 80
            health: {headers: {Authorization: Bearer hunter2}}
        """,
        (
            "config.yaml:6:24: services.web.health.headers.Authorization: a secret cannot be written in the "
            "catalog; write ${NAME}, {secret: NAME} or {file: PATH}"
        ),
    ),
    Mistake(
        "a token in the metadata of gRPC",
        """
        services:
          web: {image: web, port: 80, probes: [{name: up, grpc: {metadata: {Authorization: hunter2}}}]}
        """,
        (
            "config.yaml:3:69: services.web.probes[0].grpc.metadata.Authorization: a secret cannot be written in "
            "the catalog; write ${NAME}, {secret: NAME} or {file: PATH}"
        ),
    ),
    Mistake(
        "a token in a header of a WebSocket",
        """
        services:
          web: {image: web, port: 80, probes: [{name: up, websocket: {headers: {Cookie: hunter2}}}]}
        """,
        (
            "config.yaml:3:73: services.web.probes[0].websocket.headers.Cookie: a secret cannot be written in "
            "the catalog; write ${NAME}, {secret: NAME} or {file: PATH}"
        ),
    ),
    Mistake(
        "a password in a WebSocket's URL",
        """
        services:
          web: {image: web, probes: [{name: up, websocket: "ws://me:hunter2@web/"}]}
        """,
        (
            "config.yaml:3:41: services.web.probes[0].websocket: a URL cannot hold a user name or password; "
            "write them under basic_auth"
        ),
    ),
    Mistake(
        "a password in a URL",
        """
        services:
          web:
            image: web
            port: 80
            health: http://me:hunter2@web/
        """,
        (
            "config.yaml:6:5: services.web.health: a URL cannot hold a user name or password; write them "
            "under basic_auth"
        ),
    ),
    Mistake(
        "a password in a proxy's URL",
        """
        services:
          web:
            image: web
            port: 80
            health: {proxy: "http://me:hunter2@proxy:3128"}
        """,
        (
            "config.yaml:6:14: services.web.health.proxy: a URL cannot hold a password; "
            "write ${NAME} in its place"
        ),
    ),
    Mistake(
        "a password in an environment variable",
        """
        services:
          web:
            image: web
            port: 80
            environment: {DATABASE: "postgresql://me:hunter2@db/shop"}
        """,
        (
            "config.yaml:6:19: services.web.environment.DATABASE: a URL cannot hold a password; "
            "write ${NAME} in its place"
        ),
    ),
    Mistake(
        "a password in a URL that is none",
        """
        services:
          web:
            image: web
            port: 80
            health: {url: "http://me:hunter2/x@web/"}
        """,
        "config.yaml:6:14: services.web.health.url: this is not a URL; write one such as http://host:port/path",
    ),
    Mistake(
        "a value under secrets",
        """
        secrets: {db_password: hunter2}
        """,
        (
            "config.yaml:2:11: secrets.db_password: a secret cannot be written in the catalog; write where it "
            "comes from: {file: PATH}, {env: NAME} or {generate: 32}"
        ),
    ),
    Mistake(
        "a value in the place of a secret's name",
        """
        services:
          web:
            image: web
            port: 80
            health: {bearer_token: {secret: "hunter 2"}}
        """,
        (
            "config.yaml:6:14: services.web.health.bearer_token: the text after secret: is not a name; "
            "write ${NAME}, {secret: NAME} or {file: PATH}"
        ),
    ),
    Mistake(
        "a reference of an unknown kind",
        """
        services:
          web:
            image: web
            port: 80
            health: {bearer_token: {password: hunter2}}
        """,
        (
            "config.yaml:6:14: services.web.health.bearer_token: a reference to a secret is one of secret, "
            "file and env; known: secret, file, env"
        ),
    ),
    Mistake(
        "a reference without a name",
        """
        services:
          web:
            image: web
            port: 80
            health: {bearer_token: "${}"}
        """,
        (
            "config.yaml:6:14: services.web.health.bearer_token: ${…} must hold the name of an environment "
            "variable and nothing else; "
            "write ${NAME}, ${NAME:-default}, ${NAME:?message} or ${NAME:+text}, or $${ for the characters "
            "themselves"
        ),
    ),
    Mistake(
        "a reference that does not end",
        """
        services:
          web:
            image: web
            port: 80
            health: {bearer_token: "Token ${NAME"}
        """,
        (
            "config.yaml:6:14: services.web.health.bearer_token: ${ has no closing brace; "
            "write ${NAME}, ${NAME:-default}, ${NAME:?message} or ${NAME:+text}, or $${ for the characters "
            "themselves"
        ),
    ),
    Mistake(
        "unset variable",
        """
        services:
          web:
            image: web
            port: 80
            health: {bearer_token: "${SHOP_TOKEN}"}
        """,
        "config.yaml:6:14: services.web.health.bearer_token: environment variable SHOP_TOKEN is not set",
    ),
    Mistake(
        "missing secret file",
        """
        services:
          web:
            image: web
            port: 80
            health:
              bearer_token: {file: /nowhere/token}
        """,
        (
            "config.yaml:7:7: services.web.health.bearer_token: secret file /nowhere/token cannot be read: "
            "No such file or directory"
        ),
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.what)
def test_mistake(mistake: Mistake, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_TOKEN", raising=False)
    assert mistakes(write(mistake.catalog)) == [mistake.line]
    assert "hunter2" not in mistake.line


def test_all_mistakes_of_a_file_are_shown_at_once_in_its_order(write: Write) -> None:
    path = write(
        """
        services:
          web:
            image: web
            port: 80
            helth: /health
            depends_on: [databse]
            replicas: -1
            probes: [{name: page, http: {status: 2000}, timeout: 3}]
          api:
            image: api
            image: api:2
            owner: nobody
            probe: {interval: 1s, timeout: 2s}
        stores:
          database: {engine: redis, volme: data}
        """
    )
    assert mistakes(path) == [
        'config.yaml:6:5: services.web.helth: unknown key; did you mean "health"?',
        'config.yaml:7:18: services.web.depends_on[0]: unknown service or store "databse"; did you mean "database"?',
        "config.yaml:8:5: services.web.replicas: -1 is not allowed here; it must be at least 0",
        (
            "config.yaml:9:34: services.web.probes[0].http.status: 2000 is not a status; "
            "write 200, 2xx, 200-299 or a list of these"
        ),
        (
            "config.yaml:9:49: services.web.probes[0].timeout: 3 is not a duration; "
            "write a number and a unit, such as 250ms, 15s, 1m30s or 7d"
        ),
        "config.yaml:12:5: services.api.image: duplicate key; the first is on line 11",
        'config.yaml:13:5: services.api.owner: unknown owner "nobody"; there is none',
        'config.yaml:16:29: stores.database.volme: unknown key; did you mean "volume"?',
    ]


SHORT_FORMS = {
    "defaults: {slo: 99.9}": (
        "defaults.slo: expected a mapping or a percentage such as 99.9%, found a number 99.9"
    ),
    "services: {web: {image: w, port: 80, health: true}}": (
        "services.web.health: expected a mapping, a path such as /health or a URL such as "
        "https://example.com/health, found a boolean true"
    ),
    "services: {web: {image: w, logs: 5}}": (
        "services.web.logs: expected a mapping, true or false, on or off, found a number 5"
    ),
    "services: {web: {image: w, probes: [{name: a, tcp: 1.5}]}}": (
        "services.web.probes[0].tcp: 1.5 is not a host and port; write one such as mail.example.com:25"
    ),
    "stores: {db: {engine: redis, backup: 5}}": (
        "stores.db.backup: expected a mapping, a cron schedule such as 0 3 * * * or true, found a number 5"
    ),
    "owners:\n  all: {description: a}\n  shop:\n    slack: #shop": (
        'owners.shop.slack: is empty, since "#shop" begins a comment; write the text in quotes, such as "#shop"'
    ),
    "owners:\n  shop:\n    slack:\n      channel: #shop": (
        'owners.shop.slack.channel: expected text, found nothing; "#shop" begins a comment, '
        "so write the text in quotes"
    ),
    "services:\n  web:\n    image: #shop": (
        "services.web: nothing to watch or to deploy; give it an image, a build, a port, health or probes, or "
        'managed: off if somebody else runs its containers; "image" is empty, since "#shop" begins a comment'
    ),
    "services: {web: {image: w, volumes: {source: ./a, target: /a, readonly: true}}}": (
        'services.web.volumes.readonly: unknown key; did you mean "read_only"?'
    ),
}


@pytest.mark.parametrize(("catalog", "line"), SHORT_FORMS.items())
def test_a_message_names_the_short_form_and_what_was_found(write: Write, catalog: str, line: str) -> None:
    [found] = mistakes(write(f"{catalog}\n"))
    assert found.split(": ", 1)[1] == line


AT_ONCE = {
    "services: {web: {image: w, port: 80, scale: {min: 5, max: 2, cpu: 10}}}": (
        "services.web.scale: min (5) is more than max (2)",
        "services.web.scale.cpu: 10 is not",
    ),
    "services: {web: {image: w, port: 80, probes: [{name: a, http: /, tcp: 5, interval: q}, {nme: b, tcp: 5}, 7]}}": (
        "services.web.probes[0]: needs exactly one of",
        "services.web.probes[0].interval: ",
        'services.web.probes[1]: needs "name"',
        "services.web.probes[1].nme: unknown key",
        "services.web.probes[2]: expected a mapping, found a number 7",
    ),
    "services: {web: {image: w, port: 80, slo: {availability: 100%, period: q}}}": (
        "services.web.slo: an objective of 100%",
        "services.web.slo.period: ",
    ),
    "services: {web: {image: w, port: 80, helth: /, health: {headers: {Authorization: abc}}}}": (
        "services.web.helth: unknown key",
        "services.web.health.headers.Authorization: a secret cannot be written",
    ),
    "services: {web: {image: w, prt: 80, health: /}}": ("services.web.prt: unknown key",),
    "services: {web: {health: {urk: x, status: q}}}": (
        "services.web.health.urk: unknown key",
        "services.web.health.status: ",
    ),
    "services: {web: {image: w, port: 80, probes: [{name: a, http: {header: {A: {matches: '('}}}}]}}": (
        "services.web.probes[0].http.header.A.matches: ",
    ),
}
"""Mistakes that are reported together, in any order. A mistake that only follows from another is not reported."""


@pytest.mark.parametrize(("catalog", "lines"), AT_ONCE.items())
def test_no_mistake_hides_another(write: Write, catalog: str, lines: tuple[str, ...]) -> None:
    found = sorted(line.split(": ", 1)[1] for line in mistakes(write(f"{catalog}\n")))
    assert len(found) == len(lines), found
    assert all(line.startswith(start) for line, start in zip(found, sorted(lines), strict=True)), found


def test_a_name_whose_entry_is_wrong_still_exists(write: Write) -> None:
    path = write(
        """
        services:
          web: {image: web, depends_on: database}
        stores:
          database: {engine: postgres}
        """
    )
    assert mistakes(path) == [
        'config.yaml:5:14: stores.database.engine: "postgres" is not allowed here; did you mean "postgresql"?'
    ]


def test_the_root_needs_a_project(write: Write) -> None:
    path = write("services: {web: {image: web, owner: nobody}}\n", project=False)
    assert mistakes(path) == [
        'config.yaml:1:1: needs "project"',
        'config.yaml:1:30: services.web.owner: unknown owner "nobody"; there is none',
    ]
