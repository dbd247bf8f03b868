"""What the configuration of blackbox_exporter and Prometheus becomes: services that the catalog's loader takes."""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from exporter.imports.project import SourceError
from exporter.imports.prometheus.config import members, read_config
from exporter.imports.prometheus.jobs import Jobs
from exporter.imports.prometheus.reading import read_prometheus
from exporter.imports.prometheus.relabel import Relabelling, Rule
from tests.components import require
from tests.imports.prometheus_files import BLACKBOX, PROMETHEUS, probe, valid, write

if TYPE_CHECKING:
    from pathlib import Path


PROBED = "{source_labels: [__address__], target_label: __param_target}"


def test_a_teams_files_become_a_catalog(tmp_path: Path) -> None:
    found = read_prometheus(write(tmp_path))
    catalog = valid(found, tmp_path)
    assert {name: [probe.name for probe in service.probes] for name, service in catalog.services.items()} == {
        "prometheus": [],
        "node-10-0-0-1": [],
        "node-10-0-0-2": [],
        "node-2001-db8-1": [],
        "api-shop-internal": ["http-token"],
        "api-shop-internal-9104": [],
        "shop-example-com": ["http-2xx", "http-2xx-2", "tls-connect", "icmp", "events"],
        "admin-example-com": ["http-2xx"],
        "mail-example-com": ["smtp-starttls"],
        "pay-example-com": ["http-full"],
        "blackbox-by-label-192-0-2-53": ["dns-soa", "dns-any"],
        "blackbox-by-label-192-0-2-54": ["dns-soa"],
        "orders": ["grpc"],
        "db": ["postgres"],
        "xn-bcher-kva-example": ["http-2xx"],
        "extra": [],
    }
    api = found.catalog["services"]["api-shop-internal"]
    assert (api["address"], api["port"], api["metrics"]) == (
        "api.shop.internal",
        443,
        {"path": "/internal/metrics", "scheme": "https"},
    )
    assert found.defaults == {"probe": {"interval": "30s", "timeout": "10s"}, "metrics_interval": "30s"}
    assert not any(service.deployed for service in catalog.services.values())


def test_no_secret_of_the_files_is_kept_and_each_is_told_with_its_line(tmp_path: Path) -> None:
    found = read_prometheus(write(tmp_path))
    assert "hunter2" not in repr(found)
    places = [
        str(note).replace(f"{tmp_path}/", "") for note in found.notes if "secret is written" in str(note)
    ]
    files = {"blackbox.yml": BLACKBOX, "prometheus.yml": PROMETHEUS}
    for place in places:
        name, line, _ = place.split(":", 2)
        lines = files[name].splitlines()
        assert "hunter2" in "".join(lines[int(line) - 1 : int(line) + 2]), place
    written = sum(text.count("hunter2") for text in files.values()) - 1  # basic_auth of a scrape is left out
    assert len(places) == written


def test_what_has_no_counterpart_is_told_with_its_line(tmp_path: Path) -> None:
    notes = [str(note).replace(f"{tmp_path}/", "") for note in read_prometheus(write(tmp_path)).notes]
    told = [note.partition(": ")[2] for note in notes if "secret" not in note]
    assert told == [
        "fail_if_body_json_not_matches_cel: cannot be written in the catalog; it is left out",
        "query_response: bytes cannot be written in the catalog; the probe ends before this step",
        "dont_fragment: cannot be written in the catalog; it is left out",
        "validate_authority_rrs: cannot be written in the catalog; it is left out",
        'unix: its prober "unix" has no counterpart; its targets are left out',
        "rule_files: stays with your Prometheus; the catalog generates its own",
        'no file matches "absent/*.yml"; what it names is missing',
        'kubernetes_sd_configs: targets of "pods" that come from there are not in a file; add them yourself',
        "basic_auth: a scrape in the catalog has no such key; it is left out",
        'the module "nowhere" is in no blackbox.yml that was given; the targets of "blackbox-by-label" are left out',
    ]
    assert all(note.partition(":")[2].partition(":")[0].isdecimal() for note in notes)


HTTP = "{prober: http, http: {%s}}"


@pytest.mark.parametrize(
    ("keys", "becomes"),
    [
        ("", {}),
        ("valid_status_codes: []", {}),
        ("accept_any_response: true", {"status": "100-599"}),
        ("method: HEAD", {"method": "HEAD"}),
        ("follow_redirects: false", {"redirects": "off"}),
        ("no_follow_redirects: yes", {"redirects": "off"}),
        ("preferred_ip_protocol: ip6", {"ip": "prefer_ip6"}),
        ("ip_protocol_fallback: false", {"ip": "ip6"}),
        ('body: \'{"a": "${b}"}\'', {"send": '{"a": "$${b}"}'}),
        ("body_file: /etc/body.json", {"send": {"file": "/etc/body.json"}}),
        ("compression: identity", {}),
        ("body_size_limit: 500KB", {"max_body": "500Ki"}),
        ("body_size_limit: 0", {}),
        ("enable_http2: false", {"versions": ["1.0", "1.1"]}),
        ("bearer_token_file: /run/token", {"bearer_token": {"file": "/run/token"}}),
        (
            "basic_auth: {username: u, password_file: /run/pw}",
            {"basic_auth": {"username": "u", "password": {"file": "/run/pw"}}},
        ),
        (
            "authorization: {type: Token, credentials_file: /run/t}",
            {"headers": {"Authorization": {"file": "/run/t"}}},
        ),
        ("proxy_url: 'http://u:pw@proxy:3128'", {"proxy": "http://u:${M_PROXY_PASSWORD}@proxy:3128"}),
        (
            "fail_if_header_matches: [{header: X, regexp: a}], fail_if_header_not_matches: [{header: X, regexp: c}]",
            {"header": {"X": {"matches": "c", "not_matches": "a"}}},
        ),
    ],
    ids=repr,
)
def test_keys_of_an_http_module(keys: str, becomes: dict[str, Any], tmp_path: Path) -> None:
    made, _ = probe(tmp_path, HTTP % keys, "https://x.example.com/a")
    assert made == {"name": "m", "http": {"url": "https://x.example.com/a", **becomes}}


@pytest.mark.parametrize(
    ("keys", "note"),
    [
        (
            "compression: br",
            '1: compression: cannot be written in the catalog: "br" is not read; it is left out',
        ),
        (
            "oauth2: {client_id: a, client_secret: b}",
            "oauth2: cannot be written in the catalog; it is left out",
        ),
        ("fail_if_ssl: true", "fail_if_ssl: cannot be written in the catalog; it is left out"),
        ("valid_http_versions: [HTTP/3.0]", '"HTTP/3.0" is not probed'),
        ("fail_if_not_ssl: true", "an answer without TLS, as after a redirect, does not fail in the catalog"),
        ("fail_if_body_matches_regexp: ['(?=x)']", '"(?=x)" is not a regular expression (RE2)'),
        (
            "fail_if_header_not_matches: [{header: X, regexp: a, allow_missing: true}]",
            "a header that must match must be there",
        ),
        ("tls_config: {cert: PEM}", 'tls_config.cert: cannot be written in the catalog: module "m"'),
    ],
    ids=repr,
)
def test_a_key_that_cannot_be_mapped_is_a_note(keys: str, note: str, tmp_path: Path) -> None:
    made, notes = probe(tmp_path, HTTP % keys, "https://x.example.com/")
    assert made == {"name": "m", "http": {"url": "https://x.example.com/"}}
    [only] = notes
    assert only.startswith("blackbox.yml:2: ")
    assert note.removeprefix("1: ") in only


@pytest.mark.parametrize(
    ("module", "target", "becomes"),
    [
        ("{prober: http}", "x.example.com:8080/y", {"http": {"url": "http://x.example.com:8080/y"}}),
        (
            "{prober: http}",
            "https://[2001:db8::1]:8443/#top",
            {"http": {"url": "https://[2001:db8::1]:8443/"}},
        ),
        ("{prober: tcp}", "db:5432", {"tcp": {"address": "db:5432"}}),
        (
            "{prober: tcp, tcp: {tls: true, tls_config: {server_name: x}}}",
            "db:1",
            {"tcp": {"address": "db:1", "tls": {"server_name": "x"}}},
        ),
        ("{prober: icmp}", "2001:db8::1", {"icmp": {"host": "2001:db8::1"}}),
        ("{prober: grpc}", "orders:50051", {"grpc": {"address": "orders:50051"}}),
        (
            "{prober: grpc, grpc: {tls: true}}",
            "orders:50051",
            {"grpc": {"address": "orders:50051", "tls": True}},
        ),
        ("{prober: websocket}", "ws://x/y", {"websocket": {"url": "ws://x/y"}}),
        ("{prober: tcp, timeout: 1m}", "db:1", {"tcp": {"address": "db:1"}}),
        ("{prober: tcp, timeout: 1500ms}", "db:1", {"tcp": {"address": "db:1"}, "timeout": "1500ms"}),
    ],
    ids=repr,
)
def test_a_target_of_a_module(module: str, target: str, becomes: dict[str, Any], tmp_path: Path) -> None:
    made, notes = probe(tmp_path, module, target)
    assert made == {"name": "m", **becomes}
    assert not notes


def test_the_parameter_hostname_is_the_header_and_the_name_of_the_certificate(tmp_path: Path) -> None:
    made, _ = probe(tmp_path, "{prober: http}", "https://192.0.2.1/", hostname="shop.example.com")
    assert made["http"]["headers"] == {"Host": "shop.example.com"}
    assert made["http"]["tls"] == {"server_name": "shop.example.com"}


@pytest.mark.parametrize("target", ["http://", "a b", "https://x:99999/", "ftp://x", "http://u:hunter2@/"])
def test_a_target_that_is_none_is_a_note(target: str, tmp_path: Path) -> None:
    prometheus = json.dumps(
        {
            "scrape_configs": [
                {
                    "job_name": "j",
                    "static_configs": [{"targets": [target], "labels": {"__param_target": target}}],
                }
            ]
        }
    )
    found = read_prometheus(write(tmp_path, prometheus))
    assert not found.services
    assert "is left out" in str(found.notes[-1])
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("rule", "result"),
    [
        (Rule(source_labels=("a", "b"), target_label="c"), {"a": "1", "b": "x.y", "c": "1;x.y"}),
        (
            Rule(source_labels=("b",), regex="(.)\\.(.)", target_label="c", replacement="$2-${1}$$"),
            {"a": "1", "b": "x.y", "c": "y-x$"},
        ),
        (Rule(source_labels=("b",), regex="x", target_label="c"), {"a": "1", "b": "x.y"}),
        (
            Rule(source_labels=("b",), regex="(?P<first>.).*", target_label="$first", replacement="z"),
            {"a": "1", "b": "x.y", "x": "z"},
        ),
        (Rule(target_label="a", replacement=""), {"b": "x.y"}),
        (Rule(action="keep", source_labels=("a",), regex="1"), {"a": "1", "b": "x.y"}),
        (Rule(action="keep", source_labels=("a",), regex="2"), None),
        (Rule(action="drop", source_labels=("a",), regex="1"), None),
        (Rule(action="keepequal", source_labels=("a",), target_label="b"), None),
        (Rule(action="labeldrop", regex="a"), {"b": "x.y"}),
        (Rule(action="labelkeep", regex="a"), {"a": "1"}),
        (Rule(action="labelmap", regex="(a)", replacement="new_$1"), {"a": "1", "b": "x.y", "new_a": "1"}),
        (Rule(action="uppercase", source_labels=("b",), target_label="b"), {"a": "1", "b": "X.Y"}),
    ],
    ids=repr,
)
def test_relabelling_is_prometheuss(rule: Rule, result: dict[str, str] | None) -> None:
    assert Relabelling([rule]).apply({"a": "1", "b": "x.y"}) == result


@pytest.mark.parametrize(
    ("prometheus", "sentence"),
    [
        (
            "services: {}",
            "prometheus.yml: is neither a prometheus.yml (scrape_configs) nor a blackbox.yml (modules)",
        ),
        ("", "prometheus.yml:1:1: is empty; expected the configuration of Prometheus or blackbox_exporter"),
        ("a: [", "prometheus.yml:"),
        ("scrape_configs: [{static_configs: []}]", "prometheus.yml:1:18: has no job_name"),
        (
            "scrape_configs: [{job_name: j, scrape_interval: soon}]",
            'prometheus.yml:1:32: "soon" is not a duration',
        ),
        (
            "scrape_configs: [{job_name: j, relabel_configs: [{action: dance}]}]",
            'the action "dance" of a relabelling rule is not known',
        ),
        (
            "scrape_configs: [{job_name: j, relabel_configs: [{regex: '('}]}]",
            '"(" is not a regular expression (RE2)',
        ),
        (
            "scrape_configs: [{job_name: j, file_sd_configs: [{files: [targets/odd.json]}]}]",
            "targets/odd.json:1:1: is not a list of groups of targets",
        ),
        (
            "scrape_configs: [{job_name: j, file_sd_configs: [{files: [/*/*/*.json]}]}]",
            '"/*/*/*.json" is no path of files; only its last part may hold',
        ),
        (
            'scrape_configs: [{job_name: j, file_sd_configs: [{files: ["a\\0"]}]}]',
            "is no path of files",
        ),
        (
            "scrape_configs: [{job_name: j, static_configs: [{targets: ['a:1']}], relabel_configs: ["
            + "{source_labels: [__address__], target_label: __address__, replacement: $1$1}," * 60
            + "]}]",
            "relabelling gives this target more than 200 labels, or one over 16384 characters",
        ),
        (
            "scrape_configs: [{job_name: j, static_configs: [{targets: ['a:1']}], relabel_configs: ["
            + "".join(f"{{action: labelmap, regex: '(.*)', replacement: {n}_$1}}," for n in range(60))
            + "]}]",
            "relabelling gives this target more than 200 labels",
        ),
    ],
    ids=repr,
)
def test_bad_input_is_one_sentence(prometheus: str, sentence: str, tmp_path: Path) -> None:
    files = write(tmp_path, prometheus, **{"targets/odd.json": "7"})
    with pytest.raises(SourceError) as caught:
        read_prometheus(files)
    [line] = str(caught.value).splitlines()
    assert sentence in line


def test_thousands_of_targets_of_one_host_take_little_time(tmp_path: Path) -> None:
    targets = ", ".join(f"https://a.example/{number}" for number in range(1000))
    text = f"scrape_configs: [{{job_name: j, static_configs: [{{targets: [{targets}]}}], relabel_configs: [{PROBED}]}}]"
    files = write(tmp_path, text)
    began = time.process_time()
    [service] = read_prometheus(files).services
    assert time.process_time() - began < 10
    assert [probe["name"] for probe in service.keys["probes"]][:3] == ["http-2xx", "http-2xx-2", "http-2xx-3"]
    assert len(service.keys["probes"]) == 1000


def test_modules_alone_are_not_enough(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="has modules and no targets"):
        read_prometheus(write(tmp_path)[:1])
    with pytest.raises(SourceError, match="there is no such file"):
        read_prometheus([tmp_path / "absent.yml"])


# --- the programs themselves ---


def test_blackbox_exporter_takes_the_modules_of_these_tests(tmp_path: Path) -> None:
    """Check the files against an older blackbox_exporter, without what only newer ones have."""
    newer = ("events", "unix", "postgres")
    modules = [
        line for line in BLACKBOX.splitlines() if not line.startswith(tuple(f"  {name}:" for name in newer))
    ]
    text = "\n".join(
        line for line in modules if not any(key in line for key in ("metadata:", "_cel:", "min_version"))
    )
    (tmp_path / "b.yml").write_text(text)
    program = require("prometheus-blackbox-exporter")
    done = subprocess.run(
        [program, "--config.check", f"--config.file={tmp_path / 'b.yml'}"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len(members(read_config(tmp_path / "b.yml").child("modules"))) == 9


def test_promtool_finds_the_same_targets(tmp_path: Path) -> None:
    newer = ("scrape_config_files", "  - job_name: pods", "    kubernetes_sd_configs")
    older = "\n".join(line for line in PROMETHEUS.splitlines() if not line.startswith(newer))
    write(tmp_path, older)
    file = tmp_path / "prometheus.yml"
    asked = Jobs(read_config(file)).asked
    for job in ("node", "shop", "blackbox-http", "blackbox-by-label"):
        done = subprocess.run(
            [require("promtool"), "check", "service-discovery", "--timeout=3s", file, job],
            capture_output=True,
            text=True,
        )
        found = [_compared(row["labels"]) for row in json.loads(done.stdout) if row.get("labels")]
        ours = [_compared(each.labels) for each in asked if each.name == job]
        assert sorted(map(str, found)) == sorted(map(str, ours)), done.stderr


def _compared(labels: dict[str, str]) -> list[tuple[str, str]]:
    """Return labels without times, and the address without the default port, which older versions add."""
    kept = {
        name: value
        for name, value in labels.items()
        if not name.startswith("__scrape_") and name != "instance"
    }
    address = kept.pop("__address__")
    return [*sorted(kept.items()), ("address", address.removesuffix(":443").removesuffix(":80"))]
