"""A tagger: a conditional random field over scores of a window, and of an LSTM over the whole title."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from recall.titles.chain import Chain
from recall.titles.network import TitleScores, WindowScores
from recall.titles.pieces import TaggedTitle
from recall.titles.settings import TitleTaggerSettings
from recall.titles.traits import OWN, WINDOW, TraitCodes

_AT_ONCE = 256
_LONGEST_STEP = 5.0
"""Gradients are shortened to this length."""


class _Title(NamedTuple):
    """Codes int64[T, templates] of a title's pieces, and its tags int64[T]."""

    window: torch.Tensor
    own: torch.Tensor
    tags: torch.Tensor


class _Batch(NamedTuple):
    """The same of several titles, padded: int64[B, T, templates], int64[B, T], and present bool[B, T]."""

    window: torch.Tensor
    own: torch.Tensor
    tags: torch.Tensor
    present: torch.Tensor


class _Network(nn.Module):
    """Scores of both, or of the window alone, and the chain."""

    def __init__(
        self, tags: Sequence[str], window: TraitCodes, own: TraitCodes | None, settings: TitleTaggerSettings
    ) -> None:
        super().__init__()
        self.window = WindowScores(window.sizes, len(tags))
        self.title = (
            None
            if own is None
            else TitleScores(own.sizes, settings.width, settings.hidden, len(tags), settings.dropout)
        )
        self.chain = Chain(tags)

    def forward(self, batch: _Batch) -> torch.Tensor:
        scores: torch.Tensor = self.window(batch.window)
        return scores if self.title is None else scores + self.title(batch.own, batch.present)


class SequenceTagger:
    """A trained network and the codes that it reads."""

    def __init__(
        self, network: _Network, tags: Sequence[str], window: TraitCodes, own: TraitCodes | None
    ) -> None:
        """What `trained` made."""
        self._network, self._tags, self._window, self._own = network, list(tags), window, own

    def tag(self, titles: Sequence[Sequence[str]]) -> list[list[str]]:
        """A tag for each piece of each title."""
        found: list[list[str]] = [[] for _ in titles]
        # Titles of about one length are tagged together, so that little is padded.
        order = sorted((row for row, pieces in enumerate(titles) if pieces), key=lambda row: len(titles[row]))
        self._network.eval()
        with torch.inference_mode():
            for first in range(0, len(order), _AT_ONCE):
                rows = order[first : first + _AT_ONCE]
                nothing = [np.zeros(len(titles[row]), np.int64) for row in rows]
                batch = _padded(
                    [
                        _encoded(titles[row], tags, self._window, self._own)
                        for row, tags in zip(rows, nothing, strict=True)
                    ]
                )
                paths = self._network.chain.best(self._network(batch), batch.present)
                for row, path in zip(rows, paths, strict=True):
                    found[row] = [self._tags[code] for code in path]
        return found


def trained(
    titles: Sequence[TaggedTitle], by_characters: bool, settings: TitleTaggerSettings, seed: int
) -> SequenceTagger:
    """A tagger that learned the titles, each of at least one piece.

    The same for the same seed. Raises ValueError where characters need jieba and it is missing.
    """
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(1)
    try:
        torch.manual_seed(seed & 0x7FFFFFFF)
        return _trained(titles, by_characters, settings, np.random.default_rng(seed))
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(state)


def _trained(
    titles: Sequence[TaggedTitle],
    by_characters: bool,
    settings: TitleTaggerSettings,
    rng: np.random.Generator,
) -> SequenceTagger:
    pieces = [title.pieces for title in titles]
    tags = sorted({tag for title in titles for tag in title.tags})
    code_of = {tag: code for code, tag in enumerate(tags)}
    window = TraitCodes.of(pieces, WINDOW, by_characters, settings.least)
    own = TraitCodes.of(pieces, OWN, by_characters, settings.least) if settings.form == "title" else None
    encoded = [
        _encoded(title.pieces, np.array([code_of[tag] for tag in title.tags]), window, own)
        for title in titles
    ]
    network = _Network(tags, window, own, settings)
    memory = [] if network.title is None else [*network.title.parameters()]
    groups: list[dict[str, Any]] = [
        {"params": [*network.window.parameters()], "weight_decay": settings.weight_decay},
        {"params": [*network.chain.parameters()], "weight_decay": 0.0},
        {"params": memory, "weight_decay": 0.0, "lr": settings.title_learning_rate},
    ]
    optimiser = torch.optim.AdamW(groups, lr=settings.learning_rate)
    steps = settings.epochs * -(-len(encoded) // settings.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / (steps + 1))
    network.train()
    for _ in range(settings.epochs):
        for batch in _batches(encoded, settings.batch, rng):
            loss = network.chain.loss(network(batch), batch.tags, batch.present)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), _LONGEST_STEP)
            optimiser.step()
            schedule.step()
    return SequenceTagger(network, tags, window, own)


def _batches(titles: Sequence[_Title], size: int, rng: np.random.Generator) -> Iterator[_Batch]:
    order = rng.permutation(len(titles))
    for first in range(0, len(order), size):
        yield _padded([titles[row] for row in order[first : first + size]])


def _encoded(
    pieces: Sequence[str], tags: NDArray[np.int64], window: TraitCodes, own: TraitCodes | None
) -> _Title:
    around = torch.from_numpy(window.encode(pieces))
    itself = around if own is None else torch.from_numpy(own.encode(pieces))
    return _Title(around, itself, torch.from_numpy(tags))


def _padded(titles: Sequence[_Title]) -> _Batch:
    pad = nn.utils.rnn.pad_sequence
    window, own, tags = (pad(list(column), batch_first=True) for column in zip(*titles, strict=True))
    present = pad([torch.ones(len(title.tags), dtype=torch.bool) for title in titles], batch_first=True)
    return _Batch(window, own, tags, present)
