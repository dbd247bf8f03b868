"""What is only watched: who says so, what the daemon expects of it, and mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.catalog.loading import load_catalog, load_plan
from exporter.catalog.planning.plan import Claim
from tests.catalog.doors import all_mistakes, spec, validated, warned

if TYPE_CHECKING:
    from exporter.catalog.planning.plan import ServicePlan
    from tests.catalog.doors import Write

OWNERS = {
    "an image": ("services: {x: {image: 'w:1'}}", True),
    "neither image nor build": ("services: {x: {port: 80}}", False),
    "off": ("services: {x: {image: 'w:1', managed: off}}", False),
    "the whole": ("managed: off\nservices: {x: {image: 'w:1'}}", False),
    "all but one": ("managed: off\nservices: {x: {image: 'w:1', managed: on}}", True),
    "its containers": ("services: {x: {image: 'w:1', containers: old}}", False),
    "nothing but its containers": ("services: {x: {managed: off}}", False),
    "a store": ("stores: {x: {engine: redis}}", True),
    "a store of somebody else": ("stores: {x: {engine: redis, managed: off}}", False),
    "a store elsewhere": ("stores: {x: {engine: redis, address: 'db.example.com:{port}'}}", False),
    "a store by another name": ("stores: {x: {engine: redis, address: 'y:6379'}}", False),
    "a store elsewhere that is ours": (
        "stores: {x: {engine: redis, address: db.example.com, managed: on}}",
        True,
    ),
    "a store on this machine": ("stores: {x: {engine: redis, address: 'localhost:{port}'}}", True),
    "a store on this machine's address": ("stores: {x: {engine: redis, address: '[::1]:{port}'}}", True),
    "a store by its own name": ("stores: {x: {engine: redis, address: 'x:{port}'}}", True),
    "a store by a template": ("stores: {x: {engine: redis, address: '{service}:{port}'}}", True),
    "a file of somebody else": (
        (
            "services: {w: {image: w, managed: off, volumes: 'd:/d'}}\nvolumes: {d: }\n"
            "stores: {x: {engine: sqlite, service: w, path: /d/x.db}}"
        ),
        False,
    ),
    "a file of ours": (
        (
            "services: {w: {image: w, volumes: 'd:/d'}}\nvolumes: {d: }\n"
            "stores: {x: {engine: sqlite, service: w, path: /d/x.db}}"
        ),
        True,
    ),
}


def service(path: str, environment: str | None = None, name: str = "x") -> ServicePlan:
    [found] = [each for each in load_plan(path, environment, secrets=False).services if each.name == name]
    return found


@pytest.mark.parametrize(("catalog", "deployed"), OWNERS.values(), ids=OWNERS)
def test_who_runs_it(write: Write, catalog: str, deployed: bool) -> None:
    path = write(f"{catalog}\n")
    assert service(path).deployed is deployed
    validated(path)


def test_an_environment_may_only_be_watched(write: Write) -> None:
    path = write(
        """
        services: {x: {image: 'w:1', port: 80}}
        gateway: {host: example.com, routes: {/: x}}
        environments: {ours: , theirs: {managed: off}}
        """
    )
    assert service(path, "ours").deployed
    assert not service(path, "theirs").deployed
    assert (load_catalog(path, "ours").deploys, load_catalog(path, "theirs").deploys) == (True, False)


EXPECTED = {
    # keys of the service: its containers can be here, how many there must be, and at least
    "image: 'w:1', replicas: 3, managed: off": (True, 3, 0),
    "image: 'w:1', managed: off": (True, None, 0),
    "managed: off": (True, None, 1),
    "managed: off, replicas: 2": (True, 2, 1),
    "containers: old": (True, None, 1),
    "port: 80, containers: old": (True, None, 1),
    "port: 80": (False, None, 0),
    "image: 'w:1', restart: 'no', managed: off": (True, None, 0),
}


@pytest.mark.parametrize("keys", EXPECTED)
def test_how_many_containers_of_somebody_else_must_run(write: Write, keys: str) -> None:
    found = service(write(f"services: {{x: {{{keys}}}}}\n"))
    assert (found.contained, found.wanted, found.least) == EXPECTED[keys]


def test_a_job_of_somebody_else_is_one_if_others_wait_for_its_end(write: Write) -> None:
    path = write(
        "managed: off\nservices: {x: {}, y: {}, z: {port: 80}, w: {image: w, depends_on: {x: completed}}}\n"
    )
    assert service(path).ends
    assert service(path).wanted is None
    assert [service(path, name=name).may_end for name in "xyzw"] == [True, True, False, True]


CLAIMS = {
    "old": Claim(service="old"),
    "{service: Old_1.x}": Claim(service="Old_1.x"),
    "{project: shop}": Claim(project="shop"),
    "{project: shop, service: old}": Claim("old", "shop"),
    "{name: shop-web-1}": Claim(name="shop-web-1"),
}


@pytest.mark.parametrize("written", CLAIMS)
def test_its_containers(write: Write, written: str) -> None:
    assert service(write(f"services: {{x: {{containers: {written}}}}}\n")).claim == CLAIMS[written]


def test_projects_of_others_are_watched_besides_the_own_one(write: Write) -> None:
    path = write("project: shop\nobserve: {projects: [Old, other_1]}\nservices: {}\n", project=False)
    assert load_plan(path).containers.projects == ("shop", "shop-default", "Old", "other_1")


@pytest.mark.parametrize(
    ("keys", "host"),
    [
        ("port: 80, containers: Old_web", "Old_web"),
        ("port: 80, containers: {name: web-1}", "web-1"),
        ("port: 80, containers: Old_web, address: 'localhost:8080'", "localhost"),
        ("port: 80, image: 'w:1'", "x"),
    ],
)
def test_the_host_of_a_probe(write: Write, monkeypatch: pytest.MonkeyPatch, keys: str, host: str) -> None:
    path = write(f"observe: {{networks: old_default}}\nservices: {{x: {{{keys}}}}}\n")
    monkeypatch.setenv("EXPORTER_ADDRESS", "{service}:{port}")
    assert getattr(spec(path, "port"), "host") == host  # noqa: B009 - every spec of a port has one


MISTAKES = {
    "services: {x: {}}": "services.x: nothing to watch or to deploy; give it an image, a build, a port, health or",
    "services: {x: {managed: on}}": "services.x: managed: on needs an image or a build to deploy",
    "services: {x: {image: w, managed: on, containers: old}}": "managed: on and containers cannot be combined",
    "services: {x: {containers: {}}}": "services.x.containers: is empty; write service, project or name",
    "services: {x: {containers: {name: a, project: b}}}": "cannot be combined with service or project",
    "services: {x: {containers: a b}}": "is not a name of the engine",
    "services: {x: {containers: a}, y: {containers: a}}": 'services.y.containers: "x" already has these containers',
    "observe: {projects: shop-default}\nservices: {}": 'observe.projects: "shop-default" is the Compose project of',
    "services: {x: {containers: {project: shop-default}}}": 'x.containers.project: "shop-default" is the Compose',
    "observe: {networks: 'a/b'}\nservices: {}": 'observe.networks: "a/b" is not a name of the engine',
    "services: {}\nmanaged: perhaps": "managed: expected true or false",
    "services: {}\nstores: {x: {engine: redis, auth: on}}": "auth: on needs a password",
    "services: {}\nstores: {x: {engine: redis, auth: off, password: '${P}'}}": "auth: off and password cannot be",
    "services: {}\nstores: {x: {engine: redis, managed: off, password: {secret: s}}}\nsecrets: {s: {generate: 32}}": (
        'secrets.s.generate: is the password of "x", which is only watched'
    ),
    "services: {w: {image: w, volumes: 'x-data:/d'}}\nvolumes: {x-data: }\nstores: {x: {engine: redis}}": (
        'stores.x: has no volume, and "w" mounts x-data, its default; write volume'
    ),
}


@pytest.mark.parametrize("catalog", MISTAKES)
def test_a_mistake_is_one_sentence(write: Write, catalog: str) -> None:
    [line] = all_mistakes(write(f"project: shop\n{catalog}\n", project=False))
    assert MISTAKES[catalog] in line


OPEN = """
services: {web: {image: 'w:1', depends_on: db}}
stores: {db: {engine: redis%s}}
secrets: {s: }
environments: {%s: {%s}}
"""


@pytest.mark.parametrize(
    ("keys", "environment", "settings", "refused"),
    [
        ("", "production", "", True),
        ("", "testing", "", True),
        ("", "development", "", False),
        ("", "laptop", "address: 'localhost:{port}'", False),
        (", auth: off", "production", "", False),
        (", password: {secret: s}", "production", "", False),
        ("", "production", "managed: off", False),
        (", managed: off", "production", "", False),
    ],
)
def test_a_store_has_a_password_or_says_that_it_has_none(
    write: Write, keys: str, environment: str, settings: str, refused: bool
) -> None:
    path = write(OPEN % (keys, environment, settings))
    if not refused:
        validated(path)
        return
    [line] = all_mistakes(path)
    assert "stores.db: has no password; write password: {secret: NAME}, or auth: off" in line
    assert f"(environment {environment})" in line


REACHED = {
    "depends_on: db, environment: {URL: 'redis://db:6379/0'}": None,
    "depends_on: db, environment: {CACHE: db}": None,
    "environment: {URL: 'redis://db:6379/0'}": "services.web.environment.URL",
    "environment: {URL: 'redis://app@db/0'}": "services.web.environment.URL",
    "environment: {CACHE: 'db:6379'}": "services.web.environment.CACHE",
    "environment: {DB_HOST: db}": "services.web.environment.DB_HOST",
    "environment: {CACHE: db, IMAGE: 'db:7.4', URL: 'redis://mydb:1/db', NAME: 'a/db:12'}": None,
}


@pytest.mark.parametrize("keys", REACHED)
def test_a_variable_that_names_a_store_out_of_reach(write: Write, keys: str) -> None:
    path = write(
        f"services: {{web: {{image: 'w:1', {keys}}}, other: {{image: 'o:1', depends_on: db}}}}\n"
        "stores: {db: {engine: redis}}\n"
    )
    place = REACHED[keys]
    expected = [f'{place}: names the store "db", which this service cannot reach; add db to its depends_on']
    assert [line.split(": ", 1)[1] for line in warned(path)] == (expected if place else [])


@pytest.mark.parametrize(
    ("networks", "warns"), [("", False), ("networks: default, ", False), ("networks: far, ", True)]
)
def test_a_store_on_the_network_of_all_services(write: Write, networks: str, warns: bool) -> None:
    path = write(
        f"services: {{web: {{image: 'w:1', {networks}environment: {{DB_HOST: db}}}}}}\n"
        "stores: {db: {engine: redis, networks: default}}\nnetworks: {far: {}}\n"
    )
    assert bool(warned(path)) == warns


def test_a_store_that_no_service_can_reach(write: Write) -> None:
    path = write("services: {web: {image: 'w:1'}}\nstores: {db: {engine: redis}}\n")
    [line] = warned(path)
    assert "stores.db: no service depends on it, so none can reach it; write depends_on: db" in line
    assert (
        warned(write("managed: off\nservices: {web: {image: 'w:1'}}\nstores: {db: {engine: redis}}\n")) == []
    )


def test_the_backup_of_somebody_elses_store(write: Write) -> None:
    path = write(
        "services: {}\nstores: {db: {engine: redis, address: db.example.com, backup: '0 3 * * *'}}\n"
    )
    [line] = warned(path)
    assert "stores.db.backup: has no effect: the store is only watched" in line
    plan = load_plan(path)
    assert plan.backups is not None
    assert (plan.backups.names, plan.volumes) == ((), ())


def test_what_is_started_on_demand_is_probed_only_if_containers_are_watched(write: Write) -> None:
    catalog = (
        "exporter: {containers: {source: SOURCE}}\nservices: {x: {image: 'w:1', port: 80, profiles: tools}}"
    )
    assert warned(write(catalog.replace("SOURCE", "auto"))) == []
    [warning] = warned(write(catalog.replace("SOURCE", "off")))
    assert "services.x.profiles: is never probed: it is probed only while it runs" in warning
