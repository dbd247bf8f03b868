"""Conditions on an HTTP response: status, headers, compression, body, JSON. The first that fails gives the reason."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pytest

from exporter.catalog.planning.specs import Condition, HeaderCondition, HttpSpec, JsonCondition
from exporter.probes.base import Reason
from tests.probes.servers import Server, answer, says

if TYPE_CHECKING:
    from tests.probes.prober import Prober

JSON = b"""{
    "status": "up", "ready": true, "count": 1, "none": null, "list": [1, 2],
    "deps": [{"ok": true}, {"ok": false}]
}"""


def run(prober: Prober, reply: bytes, **conditions: Any) -> tuple[Reason, str]:
    with Server(says(reply)) as server:
        result = prober.run(HttpSpec(server.url(), **conditions))
    return result.reason, result.detail


@pytest.mark.parametrize(
    ("status", "statuses", "detail"),
    [
        ("200 OK", ((200, 299),), ""),
        ("204 No Content", ((200, 299),), ""),
        ("404 Not Found", ((404, 404),), ""),
        ("418 I'm a teapot", ((200, 204), (418, 418)), ""),
        ("500 Oops", ((200, 299),), "status 500, expected 200-299"),
        ("300 Choices", ((200, 200), (204, 204), (301, 399)), "status 300, expected 200, 204 or 301-399"),
        ("302 Found", ((200, 200),), "status 302 without a Location header"),
    ],
)
def test_status(status: str, statuses: tuple[tuple[int, int], ...], detail: str, prober: Prober) -> None:
    reason, found = run(prober, answer(status=status), statuses=statuses)
    expected = Reason.OK if not detail else Reason.REDIRECT if "Location" in detail else Reason.STATUS
    assert (reason, found) == (expected, detail)


HEADERS = (
    "Content-Type: application/json",
    "X-Cache: HIT",
    "Via: one",
    "Via: two",
    "X-Empty:",
    "Set-Cookie: a=1",
    "Set-Cookie: b=2; Secure",
)


@pytest.mark.parametrize(
    ("condition", "detail"),
    [
        (HeaderCondition("Content-Type", "^application/json"), ""),
        (
            HeaderCondition("content-TYPE", "JSON"),
            "header content-type is 'application/json', which does not match 'JSON'",
        ),
        (HeaderCondition("X-Missing", "."), "header x-missing is missing"),
        (HeaderCondition("X-Missing", ".", present=False), ""),
        (HeaderCondition("X-Cache", "MISS", present=False), ""),
        (HeaderCondition("X-Cache", "HIT", present=False), "header x-cache is 'HIT', which matches 'HIT'"),
        (HeaderCondition("Via", "^one, two$"), ""),
        (HeaderCondition("Via", "^two$"), ""),
        (HeaderCondition("Via", "^two$", present=False), "header via is 'two', which matches '^two$'"),
        (
            HeaderCondition("Via", "three"),
            "header via is 'one, two' (and 1 more), which does not match 'three'",
        ),
        (HeaderCondition("Via", "three", present=False), ""),
        (HeaderCondition("Set-Cookie", "^b="), ""),
        (HeaderCondition("Set-Cookie", "^a=1$"), ""),
        (HeaderCondition("Set-Cookie", "1, b"), "which does not match '1, b'"),
        (
            HeaderCondition("Set-Cookie", "^c="),
            "header set-cookie is 'a=1' (and 1 more), which does not match '^c='",
        ),
        (HeaderCondition("Set-Cookie", "^c=", present=False), ""),
        (
            HeaderCondition("Set-Cookie", "^b=", present=False),
            "header set-cookie is 'b=2; Secure', which matches '^b='",
        ),
        (HeaderCondition("Set-Cookie", "", present=False), "header set-cookie is 'a=1', which matches ''"),
        (HeaderCondition("X-Empty", "^$"), ""),
    ],
)
def test_header(condition: HeaderCondition, detail: str, prober: Prober) -> None:
    reason, found = run(prober, answer(b"{}", *HEADERS), header_conditions=(condition,))
    assert reason is (Reason.HEADER if detail else Reason.OK), found
    assert found.endswith(detail) if detail else not found


@pytest.mark.parametrize(
    ("condition", "detail"),
    [
        (Condition("all .* well"), ""),
        (Condition("(?s)all.*line"), ""),
        (Condition("gr\u00fcn"), ""),
        (Condition("badly"), "body does not match 'badly'"),
        (Condition("badly", present=False), ""),
        (Condition("w[ae]ll", present=False), "body matches 'w[ae]ll'"),
    ],
)
def test_body(condition: Condition, detail: str, prober: Prober) -> None:
    reply = answer("all is well\nnext line, gr\u00fcn \udcff".encode("utf-8", "surrogateescape"))
    reason, found = run(prober, reply, body_conditions=(condition,))
    assert (reason, found) == (Reason.BODY if detail else Reason.OK, detail)


@pytest.mark.parametrize(
    ("condition", "detail"),
    [
        (JsonCondition("$.status"), ""),
        (JsonCondition("$.none"), ""),
        (JsonCondition("$.missing"), "JSON $.missing should exist"),
        (JsonCondition("$.missing", present=False), ""),
        (JsonCondition("$.status", present=False), "JSON $.status should not exist, found '\"up\"'"),
        (JsonCondition("$.status", equals='"up"'), ""),
        (JsonCondition("$.status", equals='"down"'), 'JSON $.status should be "down", found \'"up"\''),
        (JsonCondition("$.status", equals='"down"', present=False), ""),
        (
            JsonCondition("$.status", equals='"up"', present=False),
            'JSON $.status should not be "up", found \'"up"\'',
        ),
        (JsonCondition("$.ready", equals="true"), ""),
        (JsonCondition("$.ready", equals="1"), "JSON $.ready should be 1, found 'true'"),
        (JsonCondition("$.count", equals="1"), ""),
        (JsonCondition("$.count", equals="1.0"), ""),
        (JsonCondition("$.count", equals="true"), "JSON $.count should be true, found '1'"),
        (JsonCondition("$.none", equals="null"), ""),
        (
            JsonCondition("$.missing", equals="null"),
            "JSON $.missing should be null; the path selects nothing",
        ),
        (JsonCondition("$.list", equals="[1, 2]"), ""),
        (JsonCondition("$.list", equals="[true, 2]"), "JSON $.list should be [true, 2], found '[1, 2]'"),
        (
            JsonCondition("$.deps", equals='[{"ok": 1}, {"ok": 0}]'),
            'JSON $.deps should be [{"ok": 1}, {"ok": 0}], found \'[{"ok": true}, {"ok": false}]\'',
        ),
        (JsonCondition("$.deps[*].ok", equals="false"), ""),
        (
            JsonCondition("$.deps[*].ok", equals="false", present=False),
            "JSON $.deps[*].ok should not be false, found 'false'",
        ),
        (
            JsonCondition("$.deps[?@.ok == false]", present=False),
            "JSON $.deps[?@.ok == false] should not exist, found '{\"ok\": false}'",
        ),
        (JsonCondition("$.status", pattern="^u"), ""),
        (JsonCondition("$.count", pattern=r"^\d$"), ""),
        (JsonCondition("$.status", pattern="^d"), "JSON $.status should match '^d', found '\"up\"'"),
        (
            JsonCondition("$.deps[*].ok", equals="2"),
            "JSON $.deps[*].ok should be 2, found 'true' (and 1 more)",
        ),
        (
            JsonCondition("$.status", pattern="^u", present=False),
            "JSON $.status should not match '^u', found '\"up\"'",
        ),
    ],
)
def test_json(condition: JsonCondition, detail: str, prober: Prober) -> None:
    reason, found = run(prober, answer(JSON), json_conditions=(condition,))
    assert (reason, found) == (Reason.BODY if detail else Reason.OK, detail)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"{", b"[" * 100_000, b"\xff\xfe", b'{"a": 1} 2', b"9" * 5000],
    ids=["empty", "html", "cut", "deep", "not-text", "two", "huge-number"],
)
def test_not_json(body: bytes, prober: Prober) -> None:
    condition = JsonCondition("$.status")
    assert run(prober, answer(body), json_conditions=(condition,)) == (Reason.BODY, "body is not JSON")


def test_deep_json(prober: Prober) -> None:
    """Check that a descendant search in a document nested deeper than the library's limit fails
    without an exception."""
    condition = JsonCondition("$..status")
    deep = b"[" * 900 + b"]" * 900
    reason, _ = run(prober, answer(deep), json_conditions=(condition,))
    assert reason is Reason.BODY


@pytest.mark.parametrize(
    ("encoding", "wanted", "detail"),
    [
        ("gzip", "gzip", ""),
        ("x-gzip", "gzip", ""),
        (None, "gzip", "no compression, expected gzip"),
        ("gzip", "deflate", "'gzip', expected deflate"),
    ],
)
def test_compression(encoding: str | None, wanted: str, detail: str, prober: Prober) -> None:
    reply = answer(b"fine")
    if encoding:
        reply = answer(gzip.compress(b"fine"), f"Content-Encoding: {encoding}")
    with Server(says(reply)) as server:
        result = prober.run(HttpSpec(server.url(), compression=wanted))  # type: ignore[arg-type] # one of the two
    assert result.detail == detail
    assert result.reason is (Reason.ENCODING if detail else Reason.OK)
    assert server.requests[0].header("accept-encoding") == wanted


def test_order(prober: Prober) -> None:
    """Check that the reason is the one nearest to the cause: status before header before body."""
    conditions = {
        "header_conditions": (HeaderCondition("X-Missing", "."),),
        "body_conditions": (Condition("never"),),
    }
    assert run(prober, answer(b"x", status="500 Oops"), **conditions)[0] is Reason.STATUS
    assert run(prober, answer(b"x"), **conditions)[0] is Reason.HEADER


@pytest.mark.parametrize(("pattern", "fact"), [("never", 1), ("x", 0)])
def test_failed_due_to_regex(pattern: str, fact: int, prober: Prober) -> None:
    with Server(says(answer(b"x"))) as server:
        result = prober.run(HttpSpec(server.url(), body_conditions=(Condition(pattern),)))
    assert result.facts["failed_due_to_regex"] == fact


@pytest.mark.parametrize(
    "body", [b'"' + b"x" * 200_000 + b'"', b"[" * 900 + b"]" * 900, b'"\\ud800\\u009b{}"']
)
def test_what_the_path_selects_is_shown_short_and_quoted(body: bytes, prober: Prober) -> None:
    _, found = run(prober, answer(body), json_conditions=(JsonCondition("$", equals="1"),))
    assert found.startswith("JSON $ should be 1, found '")
    assert len(found) < 200
    assert found.isprintable()
