"""One entry of the feature log: what a learner needs of one scene's answer, as columns, and its bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

CREDIT = 255
"""What an item that is due to one channel alone is worth to it; parts are whole numbers of 1/`CREDIT`."""


class EntryError(ValueError):
    """Bytes are not an entry of the feature log."""


@dataclass(frozen=True, slots=True, eq=False)
class LoggedPage:
    """One scene's answer of n items, in page order: position i is row i of every column.

    attribution_token  of the answer; events carry it back
    request_id         of the answer
    scene              its name
    user               pseudonym of the shopper, made as in the request log; empty for an anonymous one
    ts                 unix seconds of the answer
    snapshot_id        of the snapshot that answered
    model_name         model that ordered the candidates, and its version; both empty where none did
    arms               experiment → arm
    channel_names      names of the recall channels by bit of `channels`
    history_length     events of the shopper's history that scorers saw
    profile_codes      int32[4], `features.profile.encode_profile`
    context_codes      int32[3], `features.context.encode_context`
    item_ids           the shop's own ids
    scores             float32[n], that ordered the items; NaN where not scored
    recall_scores      float32[n], by the first channel of `channels`
    channels           uint32[n], bit i set where the i-th channel recalled the item
    columns            float32[n] by "<scorer>.<column>", where several scorers were merged
    propensities       float64[n], the probability of each drawn slot's item, NaN for slots that were not
                       drawn; None where the scene does not explore
    segment            of the shopper, among whom channels are compared; empty where the scene has none
    credited           names of the c channels that items can be credited to
    credits            uint8[n, c], in units of 1/`CREDIT`: what each item is due to; None where the scene
                       does not move shares
    """

    attribution_token: str
    request_id: str
    scene: str
    user: str
    ts: int
    snapshot_id: str
    model_name: str
    model_version: str
    arms: Mapping[str, str]
    channel_names: Sequence[str]
    history_length: int
    profile_codes: NDArray[np.int32]
    context_codes: NDArray[np.int32]
    item_ids: Sequence[str]
    scores: Float32
    recall_scores: Float32
    channels: NDArray[np.uint32]
    columns: Mapping[str, Float32] = field(default_factory=dict)
    propensities: Float64 | None = None
    segment: str = ""
    credited: Sequence[str] = ()
    credits: NDArray[np.uint8] | None = None


class LoggedAnswer(msgspec.Struct, frozen=True, array_like=True):
    """The beginning of an entry: what an answer is found by, and what serving knew of its shopper.

    The fields are those of `LoggedPage`; `profile_codes` are int32[4], little-endian.
    """

    attribution_token: str
    request_id: str
    scene: str
    user: str
    ts: int
    snapshot_id: str
    model_name: str
    model_version: str
    arms: dict[str, str]
    channel_names: list[str]
    history_length: int
    profile_codes: bytes


class _Entry(LoggedAnswer, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The entry as it is written: arrays as their little-endian bytes."""

    context_codes: bytes
    item_ids: list[str]
    scores: bytes
    recall_scores: bytes
    channels: bytes
    columns: dict[str, bytes]
    propensities: bytes | None
    segment: str = ""
    credited: list[str] = []
    credits: bytes = b""


@dataclass(frozen=True, slots=True, eq=False)
class CreditedAnswer:
    """What channels are credited by: an answer of n items in page order, and its c channels.

    credits  uint8[n, c], as of `LoggedPage`
    """

    attribution_token: str
    scene: str
    segment: str
    ts: int
    credited: Sequence[str]
    item_ids: Sequence[str]
    credits: NDArray[np.uint8]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Entry)
_ANSWER_DECODER = msgspec.msgpack.Decoder(LoggedAnswer)


def encode(page: LoggedPage) -> bytes:
    """The entry's bytes: a msgpack array."""
    return _ENCODER.encode(
        _Entry(
            page.attribution_token,
            page.request_id,
            page.scene,
            page.user,
            page.ts,
            page.snapshot_id,
            page.model_name,
            page.model_version,
            dict(page.arms),
            list(page.channel_names),
            page.history_length,
            _bytes(page.profile_codes, "<i4"),
            _bytes(page.context_codes, "<i4"),
            list(page.item_ids),
            _bytes(page.scores, "<f4"),
            _bytes(page.recall_scores, "<f4"),
            _bytes(page.channels, "<u4"),
            {name: _bytes(column, "<f4") for name, column in page.columns.items()},
            None if page.propensities is None else _bytes(page.propensities, "<f8"),
            page.segment,
            list(page.credited),
            b"" if page.credits is None else _bytes(page.credits, "u1"),
        )
    )


def decode(content: bytes) -> LoggedPage:
    """The entry; its arrays cannot be written to. Raises `EntryError` where the bytes are none."""
    try:
        entry = _DECODER.decode(content)
        page = LoggedPage(
            entry.attribution_token,
            entry.request_id,
            entry.scene,
            entry.user,
            entry.ts,
            entry.snapshot_id,
            entry.model_name,
            entry.model_version,
            entry.arms,
            entry.channel_names,
            entry.history_length,
            np.frombuffer(entry.profile_codes, "<i4"),
            np.frombuffer(entry.context_codes, "<i4"),
            entry.item_ids,
            np.frombuffer(entry.scores, "<f4"),
            np.frombuffer(entry.recall_scores, "<f4"),
            np.frombuffer(entry.channels, "<u4"),
            {name: np.frombuffer(column, "<f4") for name, column in entry.columns.items()},
            None if entry.propensities is None else np.frombuffer(entry.propensities, "<f8"),
            entry.segment,
            tuple(entry.credited),
            _credits(entry),
        )
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise EntryError(f"not an entry of the feature log: {error}") from error
    columns: list[NDArray[Any]] = [page.scores, page.recall_scores, page.channels, *page.columns.values()]
    if page.propensities is not None:
        columns.append(page.propensities)
    if any(column.size != len(page.item_ids) for column in columns):
        raise EntryError(f"columns of other lengths than its {len(page.item_ids)} items")
    return page


def decode_answer(content: bytes) -> LoggedAnswer:
    """The beginning of the entry, for a part of what `decode` costs. Raises `EntryError`."""
    try:
        return _ANSWER_DECODER.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise EntryError(f"not an entry of the feature log: {error}") from error


def decode_credited(content: bytes) -> CreditedAnswer | None:
    """Of an entry, what channels are credited by; None where its scene does not move shares.

    Raises `EntryError`.
    """
    try:
        entry = _DECODER.decode(content)
        credits = _credits(entry)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise EntryError(f"not an entry of the feature log: {error}") from error
    if credits is None:
        return None
    return CreditedAnswer(
        entry.attribution_token,
        entry.scene,
        entry.segment,
        entry.ts,
        entry.credited,
        entry.item_ids,
        credits,
    )


def _credits(entry: _Entry) -> NDArray[np.uint8] | None:
    """uint8[n, c]; None where there are none. Raises ValueError where they are of another size."""
    if not entry.credits:
        return None
    shape = len(entry.item_ids), len(entry.credited)
    return np.frombuffer(entry.credits, "u1").reshape(shape)


def _bytes(column: NDArray[Any], dtype: str) -> bytes:
    return column.astype(dtype, copy=False).tobytes()
