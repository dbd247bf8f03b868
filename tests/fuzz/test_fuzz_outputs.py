"""validate and gen agree: both accept a catalog, or both refuse it with the same lines, and neither ends with a
traceback."""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from exporter.cli import app
from tests.fuzz.catalogs import CATALOGS, changed, parts

RUN = CliRunner()
PARTS = [CATALOGS[0]] * 10 + [part for catalog in CATALOGS for part in parts(catalog)]


def verdicts(text: str) -> tuple[int, int, str, str]:
    """Return the exit status and standard error of validate, and of gen."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.yaml"
        file.write_text(text, encoding="utf-8")
        validate = RUN.invoke(app, ["validate", str(file)], catch_exceptions=False)
        gen = RUN.invoke(
            app, ["gen", "--config", str(file), "--out", str(Path(folder) / "out")], catch_exceptions=False
        )
        return validate.exit_code, gen.exit_code, validate.stderr, gen.stderr


@settings(derandomize=True, max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32))
def test_validate_and_gen_agree(seed: int) -> None:
    chance = random.Random(seed)
    catalog = changed(chance, chance.choice(PARTS))
    validate, gen, problems, refused = verdicts(json.dumps(catalog))
    assert validate == gen, f"{json.dumps(catalog)}\n{problems}\n{refused}"
    assert refused.strip() in problems


WEB = "web: {image: 'w:1', port: 80, public: true}"
SMALL = {
    "a service named gateway": (
        "services: {gateway: {image: 'g:1', port: 80}}\ngateway: {host: a.test, routes: {/: gateway}}",
        "2:12: services.gateway: has the name of the gateway's container",
    ),
    "a service named exporter": (
        "services: {exporter: {image: 'e:1', port: 80}}",
        "2:12: services.exporter: has the name of a container of the generated monitoring stack",
    ),
    "a store named grafana": (
        "stores: {grafana: {engine: redis}}",
        "2:10: stores.grafana: has the name of a container of the generated monitoring stack",
    ),
    "a volume of the stack": (
        "services: {web: {image: 'w:1', volumes: ['grafana-data:/x']}}\nvolumes: {grafana-data: }",
        "2:42: services.web.volumes[0]: the volume grafana-data has the name of one in",
    ),
    "two public services on one port": (
        f"services: {{{WEB}, api: {{image: 'a:1', port: 80, public: true}}}}",
        "2:57: services.api: is public and so is web, and both open port 80 on the host",
    ),
    "replicas on one port": (
        "services: {web: {image: 'w:1', port: 80, public: true, replicas: 2}}",
        "2:56: services.web.replicas: has 2 replicas, but only one of them can open port 80",
    ),
    "Slack without a URL": (
        'owners: {a: {slack: "#a"}}',
        "2:14: owners.a.slack: has no webhook; write url here, or alertmanager.slack_url",
    ),
    "mail without a server": (
        "owners: {a: {email: a@a.test}}",
        "2:14: owners.a.email: needs a mail server; write alertmanager.smtp",
    ),
    "a webhook with a reference": (
        'owners: {a: {webhook: "https://a.test/${KEY}"}}',
        "2:14: owners.a.webhook: mixes text and references",
    ),
    "a webhook that is no URL": ("owners: {a: {webhook: a.test}}", "2:14: owners.a.webhook: is not a URL"),
    "one file for two secrets": (
        "owners: {a: {teams: {file: a/key}, opsgenie: {key: {file: b/key}}}}",
        "2:47: owners.a.opsgenie.key: and owners.a.teams[0].url would both be the file /run/secrets/key",
    ),
    "a secret of two meanings": (
        "owners: {a: {teams: {file: a/key}}}\nsecrets: {key: }",
        "2:14: owners.a.teams: becomes the secret key of Alertmanager",
    ),
    "status_label": (
        "services: {web: {port: 80, metrics: {status_label: a b}}}",
        '2:38: services.web.metrics.status_label: "a b" is not a label name',
    ),
    "a build context outside of the folder": (
        "services: {web: {build: {context: ../web, runtime: python}, port: 80}}",
        "2:26: services.web.build.context: is outside the catalog's folder",
    ),
    "a recipe without a port": (
        "services: {web: {build: {context: ., runtime: node}}}",
        "2:12: services.web: has no port for nginx to serve its pages on",
    ),
    "a stage that is none": (
        "services: {web: {build: {context: ., runtime: node, target: x}, port: 80}}",
        "2:53: services.web.build.target: is no stage of a generated Dockerfile",
    ),
    "a reference in a Dockerfile": (
        "services: {web: {build: {context: ., runtime: python, arguments: {A: '${A}'}}, port: 80}}",
        "2:67: services.web.build.arguments.A: contains ${",
    ),
    "a variable from a file": (
        "services: {web: {image: 'w:1', environment: {A: {file: x}}}}",
        "2:46: services.web.environment.A: reaches its container as a whole",
    ),
    "a store's password from a variable": (
        "stores: {db: {engine: redis, password: '${P}'}}",
        "2:30: stores.db.password: reaches its container as a whole",
    ),
    "a password without a user": (
        "stores: {db: {engine: mongodb, password: {secret: a}}}\nsecrets: {a: }",
        "2:10: stores.db: has a password but no user",
    ),
    "a gateway without routes": (
        "gateway: {host: a.test}",
        "2:1: gateway: is empty; name the service for each path",
    ),
    "a route to nothing deployed": (
        "services: {web: {port: 80}}\ngateway: {host: a.test, routes: {/: web}}",
        "3:34: gateway.routes./: goes to web, which is not deployed here",
    ),
    "a route twice": (
        f"services: {{{WEB}}}\ngateway: {{host: a.test, routes: {{/a: web, /a/: web}}}}",
        '3:43: gateway.routes./a/: is the same path to nginx as "/a"',
    ),
    "a host with a zone": (
        f"services: {{{WEB}}}\ngateway: {{host: 'fe80::1%eth0', routes: {{/: web}}}}",
        "3:11: gateway.host: has a zone",
    ),
    "a backup that never comes": (
        'stores: {db: {engine: redis, backup: "0 0 30 2 *"}}',
        "2:30: stores.db.backup: 0 0 30 2 * matches no date",
    ),
    "a data source that is none": (
        "grafana: {datasource: a b}",
        '2:11: grafana.datasource: "a b" is not a valid uid',
    ),
    "a folder that cannot be mounted": (
        "services: {}\nbackup: {directory: '/a:b'}",
        '3:10: backup.directory: "/a:b" contains one of',
    ),
}


@pytest.mark.parametrize(("catalog", "line"), SMALL.values(), ids=SMALL)
def test_what_an_output_refuses_is_a_problem_with_a_place(catalog: str, line: str) -> None:
    validate, gen, problems, refused = verdicts(f"project: shop\n{catalog}\n")
    assert (validate, gen) == (2, 2)
    [found, count] = problems.splitlines()
    assert found.split("config.yaml:", 1)[1].startswith(line)
    assert count == "1 problem"
    assert refused.strip() == found


def test_refusals_of_all_outputs_and_mistakes_are_shown_at_once() -> None:
    _, _, problems, _ = verdicts(
        "project: shop\n"
        "services: {exporter: {image: 'e:1', port: 80, prt: 1}, web: {image: 'w:1', environment: {A: {file: x}}}}\n"
        "owners: {a: {slack: '#a', email: a@a.test}}\n"
        "grafana: {datasource: a b}\n"
    )
    places = [line.split(": ")[1] for line in problems.splitlines()[:-1]]
    assert places == [
        "services.exporter",
        "services.exporter.prt",
        "services.web.environment.A",
        "owners.a.slack",
        "owners.a.email",
        "grafana.datasource",
    ]


def test_what_only_the_base_lacks_is_no_mistake() -> None:
    """Check that nothing is generated for the base of a catalog with environments."""
    validate, gen, _, _ = verdicts(
        "project: shop\nowners: {a: {slack: '#a'}}\nsecrets: {hook: }\n"
        "environments: {test: {alertmanager: {slack_url: {secret: hook}}}}\n"
    )
    assert (validate, gen) == (0, 0)
