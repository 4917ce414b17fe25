"""The server's own times: stages in an answer's trace, and `server-timing` metadata."""

from __future__ import annotations

import re

from google.protobuf.message import DecodeError, Message

from loadtest.call import Call

_METRIC = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)((?:\s*;[^,;]*)*)")
_DURATION = re.compile(r";\s*dur\s*=\s*\"?([0-9.]+)")
MOST_STAGES = 256
MOST_TIMES = 100_000


class ServerStages:
    """Collects stage times in ms from one successful call in `every`.

    The number of stages and of times per stage is bounded. Two sources: a field `trace` whose `stages` have
    `stage` and `elapsed_ms` (Shopfront's answers to requests `with_trace`), and the header field
    `server-timing` (W3C Server Timing) in an answer's trailers.
    """

    def __init__(self, every: int, answer: type[Message]) -> None:
        """Reads each `every`-th successful call, whose answers are of type `answer`."""
        self._every = every
        self._answer = answer if _traced(answer) else None
        self._seen = 0
        self.times: dict[str, list[float]] = {}

    def observe(self, call: Call) -> None:
        """Reads the call's answer and trailers where it is its turn."""
        self._seen += 1
        if (self._seen - 1) % self._every:
            return
        if self._answer is not None and call.answer:
            self._read_trace(call.answer)
        for name, value in call.trailers:
            if name == "server-timing":
                for stage, milliseconds in server_timing(value):
                    self._add(stage, milliseconds)

    def _read_trace(self, answer: bytes) -> None:
        assert self._answer is not None
        try:
            message = self._answer.FromString(answer)
        except DecodeError:
            return
        if message.HasField("trace"):
            trace = message.trace  # type: ignore[attr-defined]
            for stage in trace.stages:
                self._add(stage.stage, stage.elapsed_ms)
            if hasattr(trace, "total_ms"):
                self._add("total", trace.total_ms)

    def _add(self, stage: str, milliseconds: float) -> None:
        times = self.times.get(stage)
        if times is None:
            if len(self.times) >= MOST_STAGES:
                return
            times = self.times[stage] = []
        if len(times) < MOST_TIMES:
            times.append(milliseconds)


def observer(every: int, answer: type[Message]) -> ServerStages | None:
    """What to observe calls with; None where sampling is switched off."""
    return ServerStages(every, answer) if every else None


def server_timing(value: str) -> list[tuple[str, float]]:
    """Names and durations in ms of a Server-Timing field; entries without a duration are left out."""
    found = []
    for metric in _METRIC.finditer(value):
        duration = _DURATION.search(metric[2])
        if duration:
            found.append((metric[1], float(duration[1])))
    return found


def _traced(answer: type[Message]) -> bool:
    trace = answer.DESCRIPTOR.fields_by_name.get("trace")
    stages = (
        trace.message_type.fields_by_name.get("stages") if trace is not None and trace.message_type else None
    )
    return (
        stages is not None
        and stages.message_type is not None
        and {"stage", "elapsed_ms"} <= set(stages.message_type.fields_by_name)
    )
