"""One place times every probe, ends it at its deadline and turns whatever happened into a result.

A protocol module writes only its conversation: `ask` enters phases, notes facts, and raises `ProbeFailure` when
the answer is not what was wanted.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import time
from abc import ABC, abstractmethod

from exporter.catalog.secrets import SecretError, SecretText
from exporter.peer_text import Secrets, Sentence
from exporter.probes.base import ProbeFailure, ProbeResult, Reason

clock = time.monotonic
"""The loop's own clock, but exact: uvloop's `time()` counts whole milliseconds and only between callbacks."""

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
}
"""What a probe was doing when its deadline passed, by phase."""

OUT_OF_SOCKETS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
"""Errors of this process or machine, which say nothing about the target."""


class Run:
    """The notes of one run: phases in seconds, facts, and whom it is talking to."""

    __slots__ = ("_mark", "_phase", "awaited", "deadline", "facts", "peer", "phases", "secrets", "started")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.started = self._mark = clock()
        self._phase: str | None = None
        self.phases: dict[str, float] = {}
        self.facts: dict[str, float | str] = {}
        self.peer = ""
        self.awaited: str | Sentence = ""
        """What exactly is being waited for, where the phase does not say enough; ends with the phase."""
        self.secrets = Secrets()
        """What this run sent and nobody may see, should the peer repeat it: a probe adds what it reads."""

    def enter(self, phase: str) -> None:
        """End the phase under way and begin `phase`; time spent in a phase entered twice adds up."""
        now = clock()
        if self._phase is not None:
            self.phases[self._phase] = self.phases.get(self._phase, 0.0) + now - self._mark
        self._phase = phase
        self._mark = now
        self.awaited = ""

    def stop(self) -> float:
        """End the phase under way; the run's duration in seconds."""
        now = clock()
        if self._phase is not None:
            self.phases[self._phase] = self.phases.get(self._phase, 0.0) + now - self._mark
            self._phase = None
        return now - self.started

    def time_left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - clock()

    def read(self, value: str | SecretText) -> str:
        """The text with its references read now; what they hold is not shown should the peer repeat it.

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
        """What the run is waiting for, for the sentence of a time-out."""
        awaited = self.awaited
        if isinstance(awaited, Sentence):
            awaited = awaited.shown(self.secrets)
        doing = f"waiting for {awaited}" if awaited else DOING.get(self._phase or "", "starting")
        return f"{doing} ({self.peer})" if self.peer else doing


class MeasuredProbe(ABC):
    """A `Probe` whose protocol is the one method `ask`."""

    __slots__ = ()

    @abstractmethod
    async def ask(self, run: Run) -> None:
        """Hold the conversation.

        Raises:
            ProbeFailure: the target did not answer as wanted.
        """

    def redact(self, detail: str) -> str:
        """`detail` without the secrets that the probe sent, should the target have repeated them."""
        return detail

    async def run(self, deadline: float) -> ProbeResult:
        """As `Probe.run`."""
        run = Run(deadline)
        reason, detail = Reason.OK, ""
        try:
            async with asyncio.timeout_at(deadline):
                await self.ask(run)
        except ProbeFailure as failure:
            reason, detail = failure.reason, self.redact(failure.sentence.shown(run.secrets))
        except TimeoutError:
            doing = run.doing()
            reason, detail = Reason.TIMEOUT, f"timed out after {deadline - run.started:.3g} s {doing}"
        except Exception as error:
            reason, detail = Reason.INTERNAL, f"the exporter failed: {type(error).__name__}"
            if isinstance(error, OSError) and error.errno in OUT_OF_SOCKETS:
                detail = f"the exporter's machine is out of resources: {error.strerror}"
            log.exception("probe failed in the exporter itself: %s", self)
        duration = run.stop()
        return ProbeResult(reason is Reason.OK, reason, duration, run.phases, run.facts, detail)
