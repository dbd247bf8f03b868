"""Base class of all probes: it measures each run, ends it at its deadline and turns the outcome into a result.

A protocol module implements only `ask`, which enters phases, notes facts and raises `ProbeFailure` if the answer is
not as expected.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from exporter.catalog.values.secret_text import SecretError, SecretText, secret_files
from exporter.peer_text import PeerText, Secrets, Sentence
from exporter.probes.base import VOID_MEANINGS, ProbeFailure, ProbeResult, Reason, Void
from exporter.probes.clock import clock
from exporter.probes.secret_files import look_at
from exporter.probes.void import BY_WAITING, LOOP, OF_ERRNO, SAID_BY_THE_PEER, is_held, void_of

if TYPE_CHECKING:
    from typing import Self

    from exporter.catalog.planning.specs import ProbeSpec
    from exporter.catalog.values.secret_text import FileReference

__all__ = ["OUT_OF_SOCKETS", "MeasuredProbe", "Run", "clock"]

log = logging.getLogger(__name__)

DOING = {
    "resolve": "resolving the name",
    "connect": "connecting",
    "tls": "waiting for the TLS handshake",
    "processing": "waiting for the answer",
    "transfer": "reading the body",
    "query": "waiting for the answer",
    "request": "waiting for the answer",
    "setup": "opening the socket",
    "rtt": "waiting for the echo reply",
    "login": "logging in",
    "open": "opening the file",
    "check": "waiting for the answer",
    "handshake": "waiting for the answer to the handshake",
    "message": "waiting for a message",
    "close": "closing the connection",
}
"""Texts for a time-out, by the phase in which the deadline passed."""

OUT_OF_SOCKETS = frozenset(OF_ERRNO)
"""Error numbers of this process or machine, which say nothing about the target."""


OF_THE_PEER = ("certificate_subject", "certificate_issuer", "certificate_names")
"""Facts that are text of a peer and become labels. All are removed if one repeats a secret."""

MOST_CAUSES = 4
"""Limit of logged causes of an unexpected error."""


class Run:
    """The state of one run: phases in seconds, facts, and the peer it talks to."""

    __slots__ = ("_mark", "_phase", "awaited", "deadline", "facts", "peer", "phases", "secrets", "started")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.started = self._mark = clock()
        self._phase: str | None = None
        self.phases: dict[str, float] = {}
        self.facts: dict[str, float | str] = {}
        self.peer = ""
        self.awaited: str | Sentence = ""
        """The event that the run waits for, if more exact than the phase; cleared when the phase ends."""
        self.secrets = Secrets()
        """Secrets sent in this run, to be redacted if the peer repeats them: a probe adds those it reads."""

    def restart(self) -> None:
        """Restart the clock: the time before does not count for the target."""
        self.started = self._mark = clock()

    def enter(self, phase: str) -> None:
        """End the current phase and begin `phase`; the times of a phase entered twice are added."""
        now = clock()
        if self._phase is not None:
            self.phases[self._phase] = self.phases.get(self._phase, 0.0) + now - self._mark
        self._phase = phase
        self._mark = now
        self.awaited = ""

    def stop(self) -> float:
        """End the current phase, and return the duration of the run in seconds."""
        now = clock()
        if self._phase is not None:
            self.phases[self._phase] = self.phases.get(self._phase, 0.0) + now - self._mark
            self._phase = None
        return now - self.started

    def time_left(self) -> float:
        """Return the seconds until the deadline."""
        return self.deadline - clock()

    def read(self, value: str | SecretText) -> str:
        """Return the text with its secrets read now; they are redacted if the peer repeats them.

        Raises:
            ProbeFailure: `secret`.
        """
        if isinstance(value, str):
            return value
        try:
            parts = [(part, part if isinstance(part, str) else part.read()) for part in value.parts]
        except SecretError as error:
            raise ProbeFailure(Reason.SECRET, str(error)) from None
        for part, text in parts:
            if not isinstance(part, str):
                self.secrets.add(text)
        return "".join(text for _, text in parts)

    def doing(self) -> str:
        """Return what the run is waiting for, for the message of a time-out."""
        awaited = self.awaited
        if isinstance(awaited, Sentence):
            awaited = awaited.shown(self.secrets)
        doing = f"waiting for {awaited}" if awaited else DOING.get(self._phase or "", "starting")
        return f"{doing} ({self.peer})" if self.peer else doing


class MeasuredProbe(ABC):
    """A `Probe` whose protocol is the method `ask`. Constructors take the spec and the shared objects."""

    __slots__ = ("secret_files",)

    secret_files: tuple[FileReference, ...]
    """Read before each run."""

    def __new__(cls, spec: ProbeSpec, *_: object) -> Self:
        probe = super().__new__(cls)
        probe.secret_files = secret_files(spec)
        return probe

    @abstractmethod
    async def ask(self, run: Run) -> None:
        """Talk to the target.

        Raises:
            ProbeFailure: the target did not answer as expected.
        """

    async def run(self, deadline: float) -> ProbeResult:
        """Run the probe; see `Probe.run`."""
        run = Run(deadline)
        held = LOOP.held()
        reason, detail = Reason.OK, ""
        void: Void | None = None
        try:
            if self.secret_files:
                await look_at(self.secret_files, deadline)
                run.restart()
            async with asyncio.timeout_at(deadline):
                await self.ask(run)
        except ProbeFailure as failure:
            reason, detail = failure.reason, failure.sentence.shown(run.secrets)
            void = void_of(failure)
        except TimeoutError:
            doing = run.doing()
            reason, detail = Reason.TIMEOUT, f"timed out after {deadline - run.started:.3g} s {doing}"
        except Exception as error:  # noqa: BLE001 - logged below, with text of the peer redacted
            reason, detail = Reason.INTERNAL, f"the exporter failed: {type(error).__name__}"
            void = void_of(error)
            if void is None:
                log.error("probe failed in the exporter itself: %s\n%s", self, _described(error, run.secrets))  # noqa: TRY400 - the error's text may come from the peer
        ended = clock()
        duration = run.stop()
        if void is None and reason is not Reason.OK and reason not in SAID_BY_THE_PEER:
            void = LOOP.short_since(run.started)
        if void is None and (ended > deadline or reason in BY_WAITING):
            held = LOOP.held() - held
            void = Void.STALL if is_held(held, deadline, run.started) else None
        if void is not None:
            detail = f"the run is void: {VOID_MEANINGS[void]}"
            return ProbeResult(False, Reason.INTERNAL, duration, detail=detail, void=void)
        if run.secrets.are_in(" ".join([str(run.facts.get(key, "")) for key in OF_THE_PEER])):
            for key in OF_THE_PEER:
                run.facts.pop(key, None)
        return ProbeResult(reason is Reason.OK, reason, duration, run.phases, run.facts, detail)


def _described(error: BaseException, secrets: Secrets) -> str:
    """Return the origin of an error, and its text as a peer's: an error of a library may repeat what was sent."""
    lines: list[str] = []
    link: BaseException | None = error
    while link is not None and len(lines) < MOST_CAUSES:
        words = secrets.shown(PeerText(str(link)))
        lines.append(f"{type(link).__name__}: {words}\n{''.join(traceback.format_tb(link.__traceback__))}")
        link = link.__cause__ or link.__context__
    return "caused by\n".join(lines).rstrip()
