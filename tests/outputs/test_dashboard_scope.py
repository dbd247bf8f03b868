"""Matchers of project and environment in every selector, and nowhere else."""

from __future__ import annotations

import pytest

from exporter.outputs.dashboards.scope import SCOPE, scoped, scoped_variable


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ("up", "up{S}"),
        ("up{}", "up{S}"),
        ('a:b{c="}{",d=~"e"}', 'a:b{c="}{",d=~"e",S}'),
        ('{__name__="a b",c="d"}', '{__name__="a b",c="d",S}'),
        ("sum by (le) (rate(a_bucket[$__rate_interval]))", "sum by (le) (rate(a_bucket{S}[$__rate_interval]))"),
        ("sum(a) by (b) / on (c) group_left (d) e", "sum(a{S}) by (b) / on (c) group_left (d) e{S}"),
        ("max(a > bool 0.5) or vector(NaN)", "max(a{S} > bool 0.5) or vector(NaN)"),
        ("vector(${limit:raw}) - time() * 1e3", "vector(${limit:raw}) - time() * 1e3"),
        ("topk(9, max by (a) (b_over_time(c[5m] offset 1d)))", "topk(9, max by (a) (b_over_time(c{S}[5m] offset 1d)))"),
        ('label_replace(a, "b", "$1 up{}", "c", "(.*)")', 'label_replace(a{S}, "b", "$1 up{}", "c", "(.*)")'),
        ("count_up and sum_of_it", "count_up{S} and sum_of_it{S}"),
    ],
)  # fmt: skip
def test_each_selector_has_them(expr: str, expected: str) -> None:
    assert scoped(expr) == expected.replace("S}", f"{SCOPE}}}")


def test_variables() -> None:
    assert scoped_variable("label_values(up, job)") == f"label_values(up{{{SCOPE}}}, job)"
    unchanged = 'query_result(label_replace(vector(1), "a", "b", "", ""))'
    assert scoped_variable(unchanged) == unchanged
