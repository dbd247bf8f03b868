"""Cookies within one run: they are sent back to the server that set them, also after redirects, and to no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.catalog.planning.specs import HeaderCondition, HttpSpec
from exporter.probes.base import Reason
from exporter.probes.http.cookies import MAX_COOKIES, Jar
from exporter.probes.http.request import parse_url
from tests.probes.servers import Request, Server, answer, answers, redirect

if TYPE_CHECKING:
    from tests.probes.prober import Prober


def to_home(request: Request) -> bytes:
    """Simulate a site that sets a cookie, redirects to `/home`, and from there redirects clients without it to the
    login form."""
    if request.path == "/":
        return answer(
            b"", "Location: /home", "Set-Cookie: session=s3cret-v4lue; Path=/; HttpOnly", status="302 Found"
        )
    if request.path == "/home" and "session=s3cret-v4lue" in (request.header("cookie") or ""):
        return answer(b"welcome", f"X-Seen: {request.header('cookie')}")
    return answer(b"log in") if request.path == "/login" else redirect("/login")


def test_kept_within_a_run(prober: Prober) -> None:
    seen = (HeaderCondition("X-Seen", "^session="),)
    with Server(answers(to_home)) as server:
        for _ in range(2):  # nothing must be left from the first run
            assert prober.run(HttpSpec(server.url(), header_conditions=seen)).success
    assert [request.header("cookie") for request in server.requests] == [None, "session=s3cret-v4lue"] * 2


def test_hidden_where_the_server_repeats_it(prober: Prober) -> None:
    with Server(answers(to_home)) as server:
        result = prober.run(HttpSpec(server.url(), header_conditions=(HeaderCondition("X-Seen", "nobody"),)))
    assert result.detail == "header x-seen is 'session=***', which does not match 'nobody'"


def test_the_same_url_with_another_cookie_is_no_loop(prober: Prober) -> None:
    """Follow many sites, which first check whether a client keeps cookies."""

    def reply(request: Request) -> bytes:
        if request.header("cookie"):
            return answer(b"fine")
        return answer(b"", "Location: /", "Set-Cookie: checked=1", status="302 Found")

    with Server(answers(reply)) as server:
        result = prober.run(HttpSpec(server.url()))
    assert result.success, result
    assert result.facts["redirects"] == 1


def test_a_new_cookie_each_time_ends(prober: Prober) -> None:
    def reply(request: Request) -> bytes:
        count = int((request.header("cookie") or "n=0").removeprefix("n="))
        return answer(b"", "Location: /", f"Set-Cookie: n={count + 1}", status="302 Found")

    with Server(answers(reply)) as server:
        result = prober.run(HttpSpec(server.url()))
    assert result.reason is Reason.REDIRECT
    assert result.detail == "more than 10 redirects"


def test_not_sent_to_another_host(prober: Prober) -> None:
    with Server(answers(lambda _: answer(b"fine")), host="127.0.0.2") as other:
        leads = answer(b"", f"Location: {other.url()}", "Set-Cookie: a=1", status="302 Found")
        with Server(answers(lambda _: leads)) as server:
            assert prober.run(HttpSpec(server.url())).success
    assert other.requests[0].header("cookie") is None


def test_beside_those_of_the_catalog(prober: Prober) -> None:
    """Check that a cookie set by the server replaces the catalog's of the same name."""

    def reply(request: Request) -> bytes:
        set_both = ("Set-Cookie: a=new", "Set-Cookie: c=3")
        return (
            answer(b"", "Location: /end", *set_both, status="302 Found")
            if request.path == "/"
            else answer(b"")
        )

    with Server(answers(reply)) as server:
        assert prober.run(HttpSpec(server.url(), headers=(("cookie", "a=old; b=2"),))).success
    assert [request.header("cookie") for request in server.requests] == ["a=old; b=2", "b=2; a=new; c=3"]


@pytest.mark.parametrize(
    ("setter", "header", "asked", "sent"),
    [
        ("http://web.test/", "a=1", "http://web.test/x", "a=1"),
        ("http://web.test/", "a=1", "http://web.test:8080/x", "a=1"),
        ("http://web.test/", "a=1", "http://WEB.test/x", "a=1"),
        ("http://web.test/", "a=1", "http://sub.web.test/", ""),
        ("http://web.test/", "a=1", "http://other.test/", ""),
        ("http://web.test/", " a = b=c ; HttpOnly", "http://web.test/", "a=b=c"),
        ("http://web.test/", 'a="x y"', "http://web.test/", 'a="x y"'),
        ("http://web.test/", "a=", "http://web.test/", "a="),
        ("http://web.test/", "a", "http://web.test/", ""),
        ("http://web.test/", "=b", "http://web.test/", ""),
        ("http://web.test/", "a=\x01", "http://web.test/", ""),
        ("http://web.test/", "a=" + "x" * 5000, "http://web.test/", ""),
        # Domain
        ("http://sub.web.test/", "a=1; Domain=web.test", "http://web.test/", "a=1"),
        ("http://sub.web.test/", "a=1; domain=.WEB.test", "http://other.web.test/", "a=1"),
        ("http://sub.web.test/", "a=1; Domain=web.test", "http://web.test.evil.test/", ""),
        ("http://sub.web.test/", "a=1; Domain=web.test", "http://evilweb.test/", ""),
        ("http://sub.web.test/", "a=1; Domain=test", "http://other.test/", ""),
        ("http://web.test/", "a=1; Domain=other.test", "http://other.test/", ""),
        ("http://web.test/", "a=1; Domain=sub.web.test", "http://sub.web.test/", ""),
        ("http://127.0.0.1/", "a=1; Domain=127.0.0.1", "http://127.0.0.1/", "a=1"),
        ("http://127.0.0.1/", "a=1; Domain=0.0.1", "http://127.0.0.1/", ""),
        ("http://[::1]/", "a=1", "http://[::1]/", "a=1"),
        ("http://localhost/", "a=1; Domain=localhost", "http://localhost/", "a=1"),
        # Path
        ("http://web.test/a/b?c=/d", "a=1", "http://web.test/a/x", "a=1"),
        ("http://web.test/a/b", "a=1", "http://web.test/x", ""),
        ("http://web.test/", "a=1; Path=/a", "http://web.test/a", "a=1"),
        ("http://web.test/", "a=1; Path=/a", "http://web.test/a/b?x", "a=1"),
        ("http://web.test/", "a=1; Path=/a", "http://web.test/ab", ""),
        ("http://web.test/", "a=1; Path=relative", "http://web.test/x", "a=1"),
        # Secure
        ("https://web.test/", "a=1; Secure", "https://web.test/", "a=1"),
        ("https://web.test/", "a=1; Secure", "http://web.test/", ""),
        ("http://web.test/", "a=1; secure", "https://web.test/", ""),
        ("https://web.test/", "a=1", "http://web.test/", "a=1"),
        # Expiry
        ("http://web.test/", "a=1; Max-Age=60", "http://web.test/", "a=1"),
        ("http://web.test/", "a=1; Max-Age=0", "http://web.test/", ""),
        (
            "http://web.test/",
            "a=1; Max-Age=-1; Expires=Wed, 01 Jan 2100 00:00:00 GMT",
            "http://web.test/",
            "",
        ),
        ("http://web.test/", "a=1; Expires=Thu, 01-Jan-1970 00:00:00 GMT", "http://web.test/", ""),
        ("http://web.test/", "a=1; Expires=Fri, 01 Jan 2100 00:00:00 GMT", "http://web.test/", "a=1"),
        ("http://web.test/", "a=1; Expires=soon", "http://web.test/", "a=1"),
    ],
)
def test_where_it_goes(setter: str, header: str, asked: str, sent: str) -> None:
    jar = Jar()
    jar.take([header], parse_url(setter))
    assert "; ".join(f"{name}={value}" for name, value in jar.of(parse_url(asked))) == sent


def test_the_longest_path_first_and_the_last_value() -> None:
    jar, endpoint = Jar(), parse_url("http://web.test/a/b")
    jar.take(["x=1; Path=/", "x=2; Path=/a", "y=1; Path=/", "y=2; Path=/", "z=1", "z=1; Max-Age=0"], endpoint)
    assert jar.of(endpoint) == (("x", "2"), ("x", "1"), ("y", "2"))


def test_no_more_than_a_browser_keeps() -> None:
    jar, endpoint = Jar(), parse_url("http://web.test/")
    jar.take([f"c{number}=1" for number in range(1000)], endpoint)
    assert len(jar.of(endpoint)) == MAX_COOKIES
