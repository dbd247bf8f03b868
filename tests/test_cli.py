"""The command line: what each command prints, where, and with which exit status."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path

import pytest

from exporter import __version__
from exporter.cli import example_catalog
from exporter.commands import Commands
from tests.daemon.services import services
from tests.waiting import free_port, until

EXAMPLE = Path(__file__).parent.parent / "config.example.yaml"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "exporter", *arguments]
    return subprocess.run(command, text=True, capture_output=True, timeout=30)


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def test_version() -> None:
    assert run("version").stdout == f"{__version__}\n"
    assert json.loads(run("version", "--json").stdout) == {"version": __version__}


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version_is_an_option_too(option: str) -> None:
    result = run(option)
    assert (result.returncode, result.stdout, result.stderr) == (0, f"exporter {__version__}\n", "")


def test_without_a_command_there_is_help() -> None:
    bare, asked = run(), run("--help")
    assert (bare.returncode, bare.stderr) == (0, "")
    assert bare.stdout == asked.stdout
    assert bare.stdout.startswith("Usage: exporter [OPTIONS] COMMAND")


def test_the_help_names_every_command_in_a_whole_line() -> None:
    lines = run("--help").stdout.partition("Commands:\n")[2].splitlines()
    assert {line.split()[0] for line in lines} >= {"run", "check", "gen", *Commands.table}
    assert not [line for line in lines if line.endswith("...")]


@pytest.mark.parametrize("name", Commands.table)
def test_a_command_of_a_room_is_loaded_when_it_is_named(name: str) -> None:
    result = run(name, "--help")
    assert result.returncode == 0
    assert f"Usage: exporter {name}" in result.stdout


@pytest.mark.parametrize("command", ["gen", "check", "deploys list"])
def test_a_flag_looks_like_a_flag(command: str) -> None:
    text = run(*command.split(), "--help").stdout
    assert "--json" in text
    assert "<bool>" not in text


def test_completion_of_the_shell_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    result = run("--install-completion", "bash")
    assert result.returncode == 0
    assert "complete" in (tmp_path / ".bash_completions/exporter.sh").read_text()


def test_completion_offers_commands_of_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_EXPORTER_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "exporter deploys l")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert run().stdout.split() == ["list", "last"]


@pytest.mark.parametrize("command", ["run", "check", "validate", "schema", "healthcheck"])
def test_help_has_an_example(command: str) -> None:
    result = run(command, "--help")
    assert result.returncode == 0
    assert "Example" in result.stdout
    assert f"exporter {command}" in " ".join(result.stdout.split()) or "HEALTHCHECK" in result.stdout


def test_help_imports_no_command() -> None:
    code = """
import sys
from exporter.cli import app
try:
    app(["--help"])
finally:
    print(*sys.modules, file=sys.stderr)
"""
    result = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True)
    modules = set(result.stderr.split())
    assert not modules & {"pydantic", "yaml", "uvloop", "starlette", "apscheduler", "httptools", "rich"}
    assert not {name for name in modules if name.startswith("exporter.") and name.count(".") > 1}


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("check", "--nonsense"), ("run", "--listen", "nonsense")]
)
def test_wrong_usage_is_2(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert "nonsense" in result.stderr
    assert not result.stdout


def test_the_example_is_valid() -> None:
    result = run("validate", str(EXAMPLE))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"{EXAMPLE} is valid: 6 services, 4 stores, 4 environments\n"


def test_the_demo_needs_no_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert example_catalog().samefile(EXAMPLE)
    project = tomllib.loads((EXAMPLE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"] == {EXAMPLE.name: f"exporter/{EXAMPLE.name}"}


def test_validate_shows_every_mistake_and_where(catalog: Path) -> None:
    catalog.write_text(
        "project: test\nservices:\n  web: {image: x, prot: 80}\n  api: {image: x, depends_on: [wbe]}\n"
    )
    result = run("validate", str(catalog))
    assert result.returncode == 2
    assert not result.stdout
    assert f'{catalog}:3:19: services.web.prot: unknown key; did you mean "port"?' in result.stderr
    assert f"{catalog}:4:32: services.api.depends_on[0]:" in result.stderr
    found = json.loads(run("validate", str(catalog), "--json").stdout)
    assert found["valid"] is False
    assert [problem["line"] for problem in found["problems"]] == [3, 4]


def test_schema_is_json_schema() -> None:
    schema = json.loads(run("schema").stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert {"project", "services", "stores", "environments"} <= set(schema["properties"])


def test_check_says_who_is_well_and_why_others_are_not(catalog: Path) -> None:
    with services() as server:
        catalog.write_text(f"""
project: test
services:
  web: {{probes: [{{name: page, http: {{url: "http://127.0.0.1:{server.port}/health"}}}}]}}
  api: {{probes: [{{name: page, http: {{url: "http://127.0.0.1:{server.port}/fail"}}}}]}}
  old: {{probes: [{{name: port, tcp: "127.0.0.1:{free_port()}"}}]}}
""")
        table = run("check", "--config", str(catalog))
        assert table.returncode == 1
        assert "status 503, expected 200-299" in " ".join(table.stdout.replace("│", " ").split())
        assert "1 up, 2 down" in table.stdout
        assert not table.stderr
        result = json.loads(run("check", "--config", str(catalog), "--json").stdout)
        assert result["healthy"] is False
        assert {p["service"]: p["reason"] for p in result["probes"]} == {
            "web": "ok",
            "api": "status",
            "old": "connect",
        }
        assert run("check", "web", "--config", str(catalog)).returncode == 0
        unknown = run("check", "wbe", "--config", str(catalog))
    assert unknown.returncode == 2
    assert unknown.stderr == "no service or store is named wbe; did you mean web?\n"


def test_check_waits_until_all_are_healthy_or_the_deadline(catalog: Path) -> None:
    with services() as server:
        catalog.write_text(f"""
project: test
services:
  web: {{probes: [{{name: page, http: {{url: "http://127.0.0.1:{server.port}/health"}}}}]}}
  api: {{probes: [{{name: page, http: {{url: "http://127.0.0.1:{server.port}/fail"}}}}]}}
""")
        late = run("check", "--config", str(catalog), "--deadline", "1.5")
        assert late.returncode == 1
        assert late.stdout.endswith("1 up, 1 down\nnot healthy within 1.5 s: api\n")
        asked = [path for _, path in server.requests]
        assert (asked.count("/health"), asked.count("/fail")) == (1, 2), "a healthy target was probed again"

        healed = threading.Timer(2, server.statuses.update, [{"/fail": 200}])
        healed.start()
        well = run("check", "--config", str(catalog), "--deadline", "25", "--json")
        healed.join()
    assert well.returncode == 0
    assert json.loads(well.stdout)["healthy"] is True


def test_environment_variables_stand_in_for_options(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPORTER_CONFIG", str(catalog))
    monkeypatch.setenv("EXPORTER_ENVIRONMENT", "stagign")
    catalog.write_text("project: test\nservices: {web: {image: x, port: 80}}\nenvironments: {staging: {}}\n")
    result = run("check")
    assert result.returncode == 2
    assert 'unknown environment "stagign"; did you mean "staging"?' in result.stderr


def shell(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `script` in bash, where `"$@"` is the exporter with `arguments`."""
    command = ["bash", "-o", "pipefail", "-c", script, "bash", sys.executable, "-m", "exporter", *arguments]
    variables = {**os.environ, **environment}
    return subprocess.run(command, text=True, capture_output=True, timeout=60, env=variables)


def test_a_pipe_that_closes_early_is_no_error_of_ours() -> None:
    result = shell('"$@" | head -c 10', "schema")
    assert (len(result.stdout), result.stderr) == (10, "")


@pytest.mark.parametrize("arguments", [("schema",), ("version",), ("validate", str(EXAMPLE))])
def test_a_full_disk_is_one_sentence(arguments: tuple[str, ...]) -> None:
    result = shell('"$@" > /dev/full', *arguments)
    assert result.returncode == 1
    assert result.stderr == "standard output: No space left on device\n"


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
@pytest.mark.parametrize("arguments", [("schema",), ("version",), ("validate", str(EXAMPLE))])
def test_closed_streams_end_no_command(arguments: tuple[str, ...], closed: str) -> None:
    result = shell(f'"$@" {closed}', *arguments)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_name_that_is_not_text_is_shown() -> None:
    result = shell('"$@" "$(printf "/none/\\xff.yaml")"', "validate")
    assert result.returncode == 2
    assert result.stderr.startswith("/none/\\udcff.yaml: there is no such file")


def test_a_user_without_a_home_has_no_docker_context(tmp_path: Path) -> None:
    catalog = tmp_path / "config.yaml"
    catalog.write_text("project: test\nservices: {web: {image: x, port: 80}}\n")
    code = f"""
import os
os.environ.pop("HOME", None)
from pathlib import Path
from exporter.daemon.loading import read
import pwd
def nobody(_): raise KeyError
pwd.getpwuid = nobody
print(read(Path({str(catalog)!r}), None, secrets=True).containers.endpoint.shown)
"""
    environment = {key: os.environ[key] for key in os.environ if not key.startswith("DOCKER")}
    result = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, env=environment)
    assert result.stdout == "unix:///var/run/docker.sock\n", result.stderr


def test_check_of_a_service_needs_only_its_secrets(catalog: Path) -> None:
    with services() as server:
        url = f"http://127.0.0.1:{server.port}/health"
        catalog.write_text(f"""
project: test
services:
  web: {{probes: [{{name: page, http: {{url: "{url}", bearer_token: "${{TOKEN_OF_WEB}}"}}}}]}}
  api: {{probes: [{{name: page, http: {{url: "{url}", bearer_token: {{file: none}}}}}}]}}
""")
        command = ("check", "--config", str(catalog))
        assert shell('"$@"', *command, "web", TOKEN_OF_WEB="x").returncode == 0
        every = shell('"$@"', *command)
        api = shell('"$@"', *command, "api", TOKEN_OF_WEB="x")
        unknown = shell('"$@"', *command, "apo")
    for sentence in ("TOKEN_OF_WEB is not set", "none cannot be read: No such file or directory"):
        assert sentence in every.stderr
    assert (every.returncode, api.returncode) == (2, 2)
    assert "TOKEN_OF_WEB" not in api.stderr
    assert unknown.stderr == "no service or store is named apo; did you mean api?\n"


@pytest.mark.parametrize("command", ["check", "validate", "gen", "version"])
@pytest.mark.parametrize("after", [0.0, 0.2, 0.6, 1.0])
def test_ctrl_c_is_no_traceback(command: str, after: float, tmp_path: Path) -> None:
    arguments = ["--config", str(EXAMPLE)] if command in ("check", "gen") else []
    where = ["--out", str(tmp_path)] if command == "gen" else []
    line = [sys.executable, "-m", "exporter", command, *arguments, *where]
    with subprocess.Popen(line, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        status = Path(f"/proc/{process.pid}/status")
        until(lambda: process.poll() is not None or _takes_signals(status), "its first line")
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert "Traceback" not in said
    assert "Exception ignored" not in said


def _takes_signals(status: Path) -> bool:
    """True once SIGTERM has a handler, which is the first thing that the exporter sets up."""
    caught = status.read_text().partition("SigCgt:")[2].split(maxsplit=1)
    return bool(caught) and bool(int(caught[0], 16) >> (signal.SIGTERM - 1) & 1)


def test_a_stranger_on_the_port_is_not_repeated() -> None:
    def stranger(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"\x1b[31mSSH-2.0 secret\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=stranger, args=(listener,))
        thread.start()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        result = run("healthcheck", "--listen", address)
        thread.join(10)
    assert (result.returncode, result.stderr) == (
        1,
        f"{address} does not speak HTTP; if it uses TLS, give its --web.config.file\n",
    )


def test_a_container_pays_little_for_its_health_check() -> None:
    """Docker runs it every few seconds in each container, so it loads none of the large libraries."""
    address = f"127.0.0.1:{free_port()}"
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "exporter", "healthcheck", "--listen", address],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert result.returncode == 1
    assert f"no answer from {address}" in result.stderr
    for name in ("typer", "pydantic", "yaml", "asyncio"):
        assert f"| {name}\n" not in result.stderr, name


@pytest.mark.parametrize("arguments", [["--listen", "nowhere"], ["--nothing"], ["--help"]], ids=" ".join)
def test_the_health_check_reads_its_arguments_as_any_command(arguments: list[str]) -> None:
    result = run("healthcheck", *arguments)
    assert "Traceback" not in result.stderr
    assert (result.returncode, "healthcheck" in result.stdout or "--listen" in result.stdout) == (
        (0, True) if arguments == ["--help"] else (2, False)
    )
