"""A log in any pieces: the same lines, no more kept than requested, or the documented error."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.containers.log_lines import PART_BYTES, STAMP_BYTES, BrokenLogError, LineSplitter
from tests.containers.test_log_lines import FULL, ONE, TWO, frame
from tests.fuzz.json_values import pieces

PAYLOADS = st.one_of(
    st.builds(
        lambda stamp, text, end: stamp + text + end,
        st.sampled_from([ONE, TWO, b"", b"2024-13-45T99:99:99Z ", b"no stamp "]),
        st.one_of(st.binary(max_size=50), st.just(FULL), st.just(FULL[:-5]), st.just(FULL + b"y")),
        st.sampled_from([b"\n", b"\r\n", b"\r", b""]),
    ),
)
MAX_LINE = 100


def read(parts: list[bytes], *, tty: bool) -> list[bytes] | str:
    splitter = LineSplitter(tty=tty, max_line=MAX_LINE)
    found: list[bytes] = []
    try:
        for part in parts:
            found += splitter.feed(part)
    except BrokenLogError as error:
        return str(error)
    return [*found, *splitter.end()]


@settings(derandomize=True, deadline=None, max_examples=80)
@given(st.data(), st.booleans())
@example(None, True).via("discovered: a part and nothing else")
def test_the_same_lines_in_any_pieces(data: st.DataObject | None, tty: bool) -> None:
    if data is None:
        assert read([ONE + FULL], tty=tty) == [ONE + FULL[:MAX_LINE]]
        return
    payloads = data.draw(st.lists(PAYLOADS, max_size=5))
    text = b"".join(payloads) if tty else b"".join(frame(1 + len(one) % 2, one) for one in payloads)
    whole = read([text], tty=tty)
    assert read(data.draw(pieces(text)), tty=tty) == whole
    assert isinstance(whole, list)
    assert all(len(line) <= MAX_LINE + STAMP_BYTES for line in whole)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.binary(max_size=200), st.booleans(), st.data())
def test_any_bytes(text: bytes, tty: bool, data: st.DataObject) -> None:
    whole = read([text], tty=tty)
    cut = read(data.draw(pieces(text)), tty=tty)
    assert cut == whole


def test_time_is_linear_and_memory_bounded() -> None:
    """Feed a megabyte byte by byte, without a line end: only the start of the line and the rest of a part are kept."""
    for tty, head in ((True, ONE), (False, bytes((1, 0, 0, 0)) + (2**31).to_bytes(4, "big") + ONE)):
        splitter = LineSplitter(tty=tty, max_line=MAX_LINE)
        splitter.feed(head)
        for _ in range(64):
            for byte in (b"x",) * 100:
                splitter.feed(byte)
            splitter.feed(b"x" * PART_BYTES)
        assert sum(map(len, splitter.end())) <= 2 * (MAX_LINE + STAMP_BYTES)
