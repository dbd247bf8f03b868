"""What the import makes of a running engine's answers: a Compose model without values of variables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exporter.host.engine import connected
from exporter.host.failures import EngineLost
from exporter.imports.engine.filling import with_files
from exporter.imports.engine.reading import read_engine
from exporter.imports.project import Place, Project, Source, mistake, placed
from tests.host.fake_engine import fake_engine
from tests.imports.engines import (
    IMAGE,
    Scripted,
    container,
    content,
    labels,
    model,
    network,
    read,
    service,
    volume,
)

if TYPE_CHECKING:
    from exporter.imports.engine.reading import EngineProject

QUIET = {"container_name": "web1", "expose": ["80"]}
"""What a container says that has nothing of its own: its name, and a port of its image."""

ID = "a" * 64
SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("parts", "keys"),
    [
        ({}, {}),
        (
            {"config_Env": ["PATH=/usr/bin", "LANG=de", "API_KEY=hunter2", "EMPTY="]},
            {"environment": dict.fromkeys(["LANG", "API_KEY", "EMPTY"])},
        ),
        ({"config_Env": None}, {}),
        ({"config_Cmd": ["serve", "--cost", "$5"]}, {"command": ["serve", "--cost", "$$5"]}),
        ({"config_Cmd": None, "config_Entrypoint": ["/mine"]}, {"entrypoint": ["/mine"]}),
        ({"config_Cmd": ["x"], "config_Entrypoint": None}, {"entrypoint": [], "command": ["x"]}),
        ({"config_User": "1000:1000", "config_WorkingDir": "/"}, {"user": "1000:1000", "working_dir": "/"}),
        (
            {"config_StopTimeout": 90, "config_StopSignal": "SIGINT"},
            {"stop_grace_period": "90s", "stop_signal": "SIGINT"},
        ),
        ({"config_Tty": True, "config_OpenStdin": True}, {"tty": True, "stdin_open": True}),
        ({"config_Hostname": "front"}, {"hostname": "front"}),
        ({"config_ExposedPorts": None}, {"expose": None}),
        ({"config_ExposedPorts": {"80/tcp": {}, "53/udp": {}}}, {"expose": ["80", "53/udp"]}),
        # Health checks: the container's, only its times, none at all.
        (
            {
                "config_Healthcheck": {
                    "Test": ["CMD-SHELL", "curl -f localhost/$X"],
                    "Interval": 90 * SECOND,
                    "Timeout": 1_500_000_000,
                    "Retries": 5,
                    "StartPeriod": 60 * SECOND,
                }
            },
            {
                "healthcheck": {
                    "test": ["CMD-SHELL", "curl -f localhost/$$X"],
                    "retries": 5,
                    "interval": "90s",
                    "timeout": "1500ms",
                    "start_period": "60s",
                }
            },
        ),
        (
            {"config_Healthcheck": {"Test": ["CMD", "/check"], "Interval": 5 * SECOND}},
            {"healthcheck": {"interval": "5s"}},
        ),
        ({"config_Healthcheck": {"Test": ["NONE"]}}, {"healthcheck": {"disable": True}}),
        ({"config_Healthcheck": None}, {}),
        # Ports: as they were asked for.
        (
            {"host_PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}},
            {"ports": ["8080:80"], "expose": None},
        ),
        (
            {
                "host_PortBindings": {
                    "80/tcp": [
                        {"HostIp": "127.0.0.1", "HostPort": "8080"},
                        {"HostIp": "::1", "HostPort": "8080"},
                    ]
                }
            },
            {"ports": ["127.0.0.1:8080:80", "[::1]:8080:80"], "expose": None},
        ),
        (
            {
                "host_PortBindings": {
                    "80/tcp": [
                        {"HostIp": "0.0.0.0", "HostPort": "8080"},
                        {"HostIp": "::", "HostPort": "8080"},
                    ]
                }
            },
            {"ports": ["8080:80"], "expose": None},
        ),
        ({"host_PortBindings": {"53/udp": [{"HostIp": "", "HostPort": "53"}]}}, {"ports": ["53:53/udp"]}),
        (
            {
                "host_PortBindings": {
                    "81/tcp": [{"HostIp": "", "HostPort": ""}],
                    "82/tcp": [{"HostIp": "", "HostPort": "0"}],
                }
            },
            {"ports": ["81", "82"]},
        ),
        (
            {"host_PortBindings": {"81/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}},
            {"ports": ["127.0.0.1::81"]},
        ),
        (
            {"host_PortBindings": {"81/tcp": [{"HostIp": "", "HostPort": "8000-8010"}]}},
            {"ports": ["8000-8010:81"]},
        ),
        ({"host_PublishAllPorts": True}, {"ports": ["80"], "expose": None}),
        # The network of the host, of nobody.
        (
            {"host_NetworkMode": "host", "config_Hostname": "machine"},
            {"network_mode": "host", "expose": None},
        ),
        ({"host_NetworkMode": "none"}, {"network_mode": "none", "expose": None}),
        # Storage.
        (
            {
                "Mounts": [
                    {
                        "Type": "bind",
                        "Source": "/srv/shop/web",
                        "Destination": "/app",
                        "Mode": "z",
                        "RW": False,
                        "Propagation": "rprivate",
                    }
                ]
            },
            {"volumes": ["/srv/shop/web:/app:ro,z"]},
        ),
        (
            {
                "Mounts": [
                    {
                        "Type": "bind",
                        "Source": "/",
                        "Destination": "/host",
                        "Mode": "ro,rslave",
                        "RW": False,
                        "Propagation": "rslave",
                    }
                ]
            },
            {"volumes": ["/:/host:ro,rslave"]},
        ),
        (
            {"Mounts": [{"Type": "bind", "Source": "/a:b", "Destination": "/c", "RW": True}]},
            {"volumes": [{"type": "bind", "source": "/a:b", "target": "/c"}]},
        ),
        ({"Mounts": [{"Type": "volume", "Name": ID, "Destination": "/cache", "RW": True}]}, {}),
        (
            {"Mounts": [{"Type": "volume", "Name": ID, "Destination": "/other", "RW": True}]},
            {"volumes": ["/other"]},
        ),
        (
            {"Mounts": [{"Type": "tmpfs", "Destination": "/run"}]},
            {"volumes": [{"type": "tmpfs", "target": "/run"}]},
        ),
        ({"host_Tmpfs": {"/tmp": "size=64m", "/run": ""}}, {"tmpfs": ["/tmp:size=64m", "/run"]}),
        # What the engine grants.
        ({"host_RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}}, {"restart": "on-failure:3"}),
        ({"host_RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}}, {"restart": "always"}),
        (
            {
                "host_NanoCpus": 1_500_000_000,
                "host_Memory": 512 * 1024**2,
                "host_MemorySwap": 1024**3,
                "host_PidsLimit": 100,
            },
            {"cpus": 1.5, "mem_limit": "512m", "pids_limit": 100},
        ),
        (
            {
                "host_CpuQuota": 50_000,
                "host_CpuPeriod": 100_000,
                "host_Memory": 1000,
                "host_MemorySwap": -1,
                "host_PidsLimit": -1,
            },
            {"cpus": 0.5, "mem_limit": "1000b", "memswap_limit": -1},
        ),
        (
            {
                "host_CapAdd": ["NET_ADMIN"],
                "host_CapDrop": ["ALL"],
                "host_Privileged": True,
                "host_SecurityOpt": ["label=disable"],
                "host_ReadonlyRootfs": True,
            },
            {"cap_add": ["NET_ADMIN"], "cap_drop": ["ALL"], "privileged": True, "read_only": True},
        ),
        (
            {
                "host_Devices": [
                    {"PathOnHost": "/dev/dri", "PathInContainer": "/dev/dri", "CgroupPermissions": "rwm"}
                ]
            },
            {"devices": ["/dev/dri:/dev/dri:rwm"]},
        ),
        (
            {
                "host_DeviceRequests": [
                    {"Driver": "nvidia", "Count": -1, "DeviceIDs": None, "Capabilities": [["gpu"]]}
                ]
            },
            {"gpus": [{"driver": "nvidia", "count": "all"}]},
        ),
        (
            {"host_Ulimits": [{"Name": "nofile", "Soft": 1024, "Hard": 4096}]},
            {"ulimits": {"nofile": {"soft": 1024, "hard": 4096}}},
        ),
        (
            {"host_Sysctls": {"net.core.somaxconn": "1024"}, "host_ShmSize": 1024**3, "host_Init": True},
            {"sysctls": {"net.core.somaxconn": "1024"}, "shm_size": "1g", "init": True},
        ),
        (
            {
                "host_ExtraHosts": ["host.docker.internal:host-gateway"],
                "host_Dns": ["10.0.0.1"],
                "host_GroupAdd": ["999"],
            },
            {"extra_hosts": ["host.docker.internal:host-gateway"], "dns": ["10.0.0.1"], "group_add": ["999"]},
        ),
        (
            {"host_LogConfig": {"Type": "json-file", "Config": {"max-size": "10m"}}},
            {"logging": {"driver": "json-file", "options": {"max-size": "10m"}}},
        ),
        (
            {"host_LogConfig": {"Type": "splunk", "Config": {"splunk-token": "hunter2", "tag": "x"}}},
            {"logging": {"driver": "splunk", "options": {"tag": "x"}}},
        ),
        (
            {"host_Runtime": "nvidia", "host_PidMode": "host", "host_IpcMode": "host"},
            {"runtime": "nvidia", "pid": "host", "ipc": "host"},
        ),
    ],
    ids=repr,
)
def test_a_container_says_only_what_differs_from_its_image(
    parts: dict[str, Any], keys: dict[str, Any]
) -> None:
    expected = {key: value for key, value in {**QUIET, **keys}.items() if value is not None}
    assert service(container("web1", "web", **parts)) == expected


@pytest.mark.parametrize(
    "words",
    [
        ["redis-server", "--requirepass", "hunter2"],
        ["serve", "--api-key=hunter2"],
        ["sh", "-c", "serve --db postgres://shop:hunter2@db/shop"],
        ["sh", "-c", "PASSWORD=hunter2 serve"],
        ["curl", "-H", "Authorization: Bearer hunter2"],
    ],
    ids=repr,
)
@pytest.mark.parametrize("place", ["config_Cmd", "config_Entrypoint", "Test"])
def test_no_secret_of_a_container_is_kept(words: list[str], place: str) -> None:
    parts = {"config_Healthcheck": {"Test": ["CMD", *words]}} if place == "Test" else {place: words}
    found = content(container("web1", "web", config_Env=["DB_PASSWORD=hunter2"], **parts))
    assert "hunter2" not in repr(found)
    [project] = found.projects
    assert "${WEB_" in repr(project.project.model["services"]["web"])
    assert "container web1: a secret is written out there" in str(project.project.notes[0])


def test_labels_are_those_that_are_not_the_images_and_not_composes() -> None:
    given = {**labels("web"), "maintainer": "them", "traefik.enable": "true"}
    assert service(container("web1", config_Labels=given))["labels"] == {"traefik.enable": "true"}


def test_dependencies_come_from_composes_label() -> None:
    text = "db:service_healthy:false,cache:service_started:true,old"
    given = labels("web") | {"com.docker.compose.depends_on": text}
    assert service(container("web1", config_Labels=given))["depends_on"] == {
        "db": {"condition": "service_healthy"},
        "cache": {"condition": "service_started", "restart": True},
        "old": {"condition": "service_started"},
    }


def test_an_image_is_named_even_where_the_container_has_its_id() -> None:
    found = model(container("web1", "web", config_Image="sha256:" + "b" * 64))
    assert found["services"]["web"]["image"] == "ghcr.io/shop/web:1.4"


def test_what_is_so_now_stands_apart() -> None:
    found = model(
        container(
            "shop_web_1",
            "web",
            State={"Status": "running", "Health": {"Status": "unhealthy"}},
            NetworkSettings={
                "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "49153"}], "9/tcp": None}
            },
        )
    )
    assert found["services"]["web"]["x-engine"] == {
        "containers": ["shop_web_1"],
        "running": 1,
        "state": "running",
        "health": "unhealthy",
        "image": "ghcr.io/shop/web:1.4",
        "published": {"80/tcp": ["0.0.0.0:49153"]},
        "healthcheck": {"test": ["CMD", "/check"], "interval": "30s"},
    }


def test_containers_of_a_service_are_one_and_a_running_one_stands_for_all() -> None:
    found = model(
        container("shop_web_1", state="exited", config_Labels=labels("web")),
        container("shop_web_2", config_Labels=labels("web", number=2), host_Memory=1024),
    )
    web = found["services"]["web"]
    assert (web["scale"], web["mem_limit"], web["x-engine"]["running"]) == (2, "1k", 1)
    assert "container_name" not in web


def test_networks_volumes_and_secrets_have_their_names_of_compose() -> None:
    found = model(
        container(
            "web1",
            "web",
            NetworkSettings={
                "Networks": {
                    "shop_back": {
                        "Aliases": ["web", "web100000000", "front"],
                        "IPAMConfig": {"IPv4Address": "10.9.0.5"},
                    },
                    "proxy": None,
                }
            },
            Mounts=[
                {"Type": "volume", "Name": "shop_data", "Destination": "/data", "RW": True},
                {"Type": "volume", "Name": "elsewhere", "Destination": "/old", "RW": False},
                {"Type": "bind", "Source": "/srv/one", "Destination": "/run/secrets/key", "RW": False},
            ],
        ),
        container(
            "api1",
            "api",
            Mounts=[{"Type": "bind", "Source": "/srv/two", "Destination": "/run/secrets/key", "RW": False}],
        ),
        networks={
            "shop_default": network("default"),
            "shop_back": network("back", Internal=True, IPAM={"Config": [{"Subnet": "10.9.0.0/24"}]}),
            "proxy": network("proxy", project="edge"),
        },
        volumes={"shop_data": volume("data"), "elsewhere": {"Driver": "local", "Labels": None}},
    )
    web, api = found["services"]["web"], found["services"]["api"]
    assert web["networks"] == {"back": {"aliases": ["front"], "ipv4_address": "10.9.0.5"}, "proxy": None}
    assert found["networks"] == {
        "default": {"name": "shop_default"},
        "back": {"name": "shop_back", "internal": True, "ipam": {"config": [{"subnet": "10.9.0.0/24"}]}},
        "proxy": {"name": "proxy", "external": True},
    }
    assert web["volumes"] == ["data:/data", "elsewhere:/old:ro"]
    assert found["volumes"] == {
        "data": {"name": "shop_data"},
        "elsewhere": {"name": "elsewhere", "external": True},
    }
    # Services are read by name, so the key is the first one's.
    assert (api["secrets"], web["secrets"]) == (["key"], [{"source": "key_2", "target": "key"}])
    assert found["secrets"] == {"key": {"file": "/srv/two"}, "key_2": {"file": "/srv/one"}}


def test_the_password_of_a_share_stays_with_the_engine() -> None:
    options = {"type": "cifs", "device": "//nas/x", "o": "username=u,password=hunter2"}
    found = content(
        container("web1", "web", Mounts=[{"Type": "volume", "Name": "v", "Destination": "/x", "RW": True}]),
        volumes={"v": volume("v", Options=options)},
    )
    [project] = found.projects
    assert project.project.model["volumes"]["v"]["driver_opts"] == {"type": "cifs", "device": "//nas/x"}
    assert "hunter2" not in repr(found)
    assert str(project.project.notes[0]) == 'volume v: the option "o" holds a secret; it is left out'


def test_the_network_of_another_container_is_that_of_its_service() -> None:
    found = content(
        container("vpn1", "vpn"),
        container("web1", "web", host_NetworkMode=f"container:{'vpn1':0<64}"),
        container("api1", "api", host_NetworkMode="container:lone", host_PidMode="container:vpn1"),
        container("lone", host_NetworkMode="bridge"),
    )
    [project] = found.projects
    services = project.project.model["services"]
    assert (services["web"]["network_mode"], services["api"]["network_mode"]) == (
        "service:vpn",
        "container:lone",
    )
    assert services["api"]["pid"] == "service:vpn"


def test_containers_without_a_project_are_services_of_none() -> None:
    found = content(
        container("lone", host_NetworkMode="bridge"),
        container("old", state="exited", host_NetworkMode="bridge"),
        container("pod", config_Labels={"io.kubernetes.pod.name": "x"}),
        container("run", config_Labels=labels("web") | {"com.docker.compose.oneoff": "True"}),
    )
    assert found.loose is not None
    assert found.loose.name == ""
    assert {name: keys["network_mode"] for name, keys in found.loose.model["services"].items()} == {
        "lone": "bridge"
    }
    assert found.loose.model["services"]["lone"]["container_name"] == "lone"
    assert [str(note) for note in found.notes] == [
        "container old: belongs to no project and does not run; it is left out"
    ]
    assert not found.projects


def test_services_of_a_swarm_are_those_of_its_stack() -> None:
    given = {"com.docker.stack.namespace": "shop", "com.docker.swarm.service.name": "shop_web"}
    found = model(
        container("shop_web.1.abc", config_Labels=given), container("shop_web.2.def", config_Labels=given)
    )
    assert found["name"] == "shop"
    assert found["services"]["web"]["scale"] == 2


def test_a_container_that_goes_meanwhile_does_not_take_its_service_along() -> None:
    engine = Scripted(container("web1", "web"))
    engine.described.clear()
    found = read(engine)
    [project] = found.projects
    assert project.project.model["services"]["web"]["image"] == "ghcr.io/shop/web:1.4"
    assert [str(note) for note in found.notes] == [
        "container web1: the engine listed it and does not describe it; only its image and labels are known"
    ]


def test_only_some_projects_can_be_read() -> None:
    both = (
        container("web1", "web"),
        container("x1", config_Labels=labels("x", project="other")),
        container("lone"),
    )
    assert [each.project.name for each in content(*both).projects] == ["other", "shop"]
    found = content(*both, only=["other"])
    assert ([each.project.name for each in found.projects], found.loose) == (["other"], None)


HOSTILE: list[Any] = [
    7,
    "text",
    [],
    [None],
    {"": None},
    {"x": {"y": [{}]}},
    [[[]]],
    True,
    "\x1b[2J",
    "x" * 100_000,
]


@pytest.mark.parametrize(
    "part", ["Config", "HostConfig", "State", "Mounts", "NetworkSettings", "Image", "Name", "Id"]
)
def test_an_engine_that_lies_breaks_nothing(part: str) -> None:
    engine = Scripted(container("web1", "web"))
    for number, value in enumerate(HOSTILE):
        engine.rows.append({"Id": f"odd{number}", "Names": ["/odd"], "Labels": labels("odd"), "Image": "x"})
        engine.described[f"odd{number}"] = {**container("odd1", "odd"), part: value}
    found = read(engine)
    assert "web" in {name for each in found.projects for name in each.project.model["services"]}
    assert all(str(note).isprintable() for note in found.notes)


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:20])
def test_a_field_of_another_type_is_left_out(value: Any) -> None:
    plain = container("web1", "web")
    odd = {key: value for key in plain["HostConfig"] if key != "NetworkMode"}
    found = content({**plain, "HostConfig": odd | {"NetworkMode": "shop_default"}})
    [project] = found.projects
    assert project.project.model["services"]["web"]["image"] == "ghcr.io/shop/web:1.4"
    assert found.notes


@pytest.mark.parametrize("name", ["x\n\x1b[2J", "", "a/b", "../x", "x" * 200, "é"])
def test_a_name_that_compose_cannot_give_is_left_out(name: str) -> None:
    found = content(
        container("web1", "web"),
        container("odd1", config_Labels={**labels("x"), "com.docker.compose.service": name}),
    )
    [project] = found.projects
    assert [*project.project.model["services"]] == ["web"]
    assert any("is left out" in str(note) and str(note).isprintable() for note in found.notes)


def test_too_much_is_left_out_and_told() -> None:
    many = {f"{number}/tcp": [{"HostIp": "", "HostPort": str(number)}] for number in range(1, 1000)}
    found = content(container("web1", "web", host_PortBindings=many))
    [project] = found.projects
    assert len(project.project.model["services"]["web"]["ports"]) == 500
    assert 'no usable value for "PortBindings after the first 500"' in str(found.notes[0])


def test_an_engine_that_does_not_answer_is_one_sentence() -> None:
    with (
        pytest.raises(EngineLost, match=r"^the Docker engine at unix:///none does not answer"),
        connected("unix:///none"),
    ):
        pass


# --- with the Compose files that labels name ---


def _files(path: Path) -> EngineProject:
    given = labels("web") | {
        "com.docker.compose.project.working_dir": str(path),
        "com.docker.compose.project.config_files": f"{path}/a file.yml,override.yml",
    }
    old = labels("old")
    data = {"Type": "volume", "Name": "shop_data", "Destination": "/d", "RW": True}
    [found] = content(
        container("shop_web_1", config_Labels=given, Mounts=[data]),
        container("shop_old_1", config_Labels=old),
        volumes={"shop_data": volume("data")},
    ).projects
    return found


def _read(model: dict[str, Any]) -> Project:
    place = Place(Source("compose.yml"), 3)
    return Project("shop", "argument", Path(), (place.source,), placed(model, place))


def test_files_of_labels_are_named_by_their_paths(tmp_path: Path) -> None:
    assert _files(tmp_path).files == (tmp_path / "a file.yml", tmp_path / "override.yml")


def test_files_are_filled_in_from_the_engine(tmp_path: Path) -> None:
    for name in ("a file.yml", "override.yml"):
        (tmp_path / name).touch()
    asked = []
    written = {
        "services": {
            "web": {"image": "web:${TAG}", "volumes": ["data:/d"]},
            "job": {"image": "j", "profiles": ["x"]},
        },
        "volumes": {"data": None},
    }

    def reader(files: Any, name: str) -> Project:
        asked.append((len(files), name))
        return _read(written)

    found = with_files(_files(tmp_path), reader)
    assert asked == [(2, "shop")]
    services = found.model["services"]
    assert services["web"]["image"] == "web:${TAG}"
    assert services["web"]["x-engine"]["image"] == "ghcr.io/shop/web:1.4"
    assert services["web"]["expose"] == ["80"]
    assert services["job"] == {"image": "j", "profiles": ["x"]}
    assert services["old"]["image"] == "ghcr.io/shop/web:1.4"
    assert found.model["volumes"] == {"data": {"name": "shop_data"}}
    assert found.model["networks"] == {"default": {"name": "shop_default"}}
    assert str(found.place(("services", "web", "image"))) == "compose.yml:3"
    assert [str(note) for note in found.notes] == [
        'container shop_old_1: services.old: "old" runs and is in none of the Compose files; it is described as it runs'
    ]


@pytest.mark.parametrize("present", [False, True], ids=["missing", "broken"])
def test_files_that_cannot_be_used_leave_what_runs(tmp_path: Path, *, present: bool) -> None:
    if present:
        for name in ("a file.yml", "override.yml"):
            (tmp_path / name).touch()

    def reader(_files: Any, _name: str) -> Project:
        raise mistake("is not a Compose file", Place(Source("a file.yml"), 1, 1))

    found = with_files(_files(tmp_path), reader)
    assert {*found.model["services"]} == {"web", "old"}
    assert "so it is described as it runs" in str(found.notes[-1])
    assert ("a file.yml:1:1: is not a Compose file" in str(found.notes[-1])) is present


def test_the_engine_is_asked_over_its_socket() -> None:
    data = {"Type": "volume", "Name": "shop_data", "Destination": "/d", "RW": True}
    with fake_engine() as fake:
        made = container("shop_web_1", "web", Mounts=[data])
        fake.holds(made)
        fake.answers[f"GET /images/{IMAGE['Id']}/json"] = 200, IMAGE
        fake.answers["GET /networks/shop_default"] = 200, network("default")
        fake.answers["GET /volumes/shop_data"] = 200, volume("data")
        with connected(fake.where) as engine:
            [found] = read_engine(engine).projects
    assert found.project.model["volumes"] == {"data": {"name": "shop_data"}}
    assert found.project.model["networks"] == {"default": {"name": "shop_default"}}
    assert found.project.model["services"]["web"]["volumes"] == ["data:/d"]
