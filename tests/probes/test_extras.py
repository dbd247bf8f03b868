"""A catalog that needs a client that is not installed gives an error with the command that installs it."""

from __future__ import annotations

import sys

import pytest

from exporter.catalog.planning.specs import GrpcSpec, MongodbSpec, ProbeSpec
from exporter.probes.compile import Shared, compile_probe

NEEDS = (
    (MongodbSpec("docs", 27017), "bson", "mongodb"),
    (GrpcSpec("api", 50051), "h2", "grpc"),
)


@pytest.mark.parametrize(("spec", "package", "extra"), NEEDS, ids=lambda value: str(value)[:12])
def test_the_sentence_names_the_command(
    spec: ProbeSpec, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(sys.modules):
        ours = name.startswith(("exporter.probes.", "exporter.probes")) and extra in name
        if ours or name == package or name.startswith(f"{package}."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ValueError, match="which is not installed; run: pip install") as caught:
        compile_probe(spec, Shared())
    assert str(caught.value).endswith(f"pip install 'pageforge-exporter[{extra}]'")
    assert package in str(caught.value)
