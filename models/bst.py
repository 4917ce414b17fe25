"""Behavior Sequence Transformer for CTR (Chen et al. 2019, arXiv:1905.06874), with a shared history.

The paper puts the candidate into the shopper's sequence and lets every token attend to every other, so the
history must be computed again for each candidate. By default (`mask_candidate`) the history here does not
look at the candidate: its part is computed once per shopper, each candidate attends to the history and to
itself, and the first layer of the MLP is split into a half computed once per shopper and one per candidate.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from features.context import CONTEXT_SIZES
from features.history import HISTORY_LENGTH
from models.cross_features import AGE_BUCKETS, CrossFeatures
from models.item_features import ItemFeatures, ItemTables, safe_codes
from models.settings import BstSettings
from models.transformer import MASKED, TransformerBlock

EVENTS = 6  # event codes 1…5, 0 = padding
TOKEN_FIELDS = ("category", "brand")
MATCH_FIELDS = ("category", "brand", "shop")
SIDE_FIELDS = ("category", "standard_category", "brand", "shop", "price_band")
POPULARITY_BANDS = 32  # two per unit of log1p(shoppers)


class History(NamedTuple):
    """A batch of histories with ids made safe.

    item, event, age: int64[B, T]; tokens: float32[B, T, d]; present: float32[B, T], 0 at padding.
    """

    item: Tensor
    event: Tensor
    age: Tensor
    tokens: Tensor
    present: Tensor


class Rows(NamedTuple):
    """Which shopper owns each candidate (int64[G, C or 1]) and each history token (int64[G, S or 1])."""

    candidate: Tensor
    history: Tensor


class Bst(nn.Module):
    """Scores candidates for shoppers.

    Build it from a catalogue's `ItemFeatures` and from the number of codes of each profile field
    (`profile_counts`, 0 excluded). Fields of which the shop knows no code are left out of the graph.
    `item_embedding` has sparse gradients: only rows of the batch are updated.
    """

    def __init__(
        self, settings: BstSettings, features: ItemFeatures, profile_counts: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.settings = settings
        self.code_counts = dict(features.code_counts)
        self.profile_counts = tuple(profile_counts)
        width, side = settings.dimension, settings.side_dimension
        self.match_fields = self._known(MATCH_FIELDS)
        side_fields = self._known(SIDE_FIELDS)
        self.tables = ItemTables(features, settings.min_item_users)
        self.item_embedding = nn.Embedding(self.tables.id_rows, width, sparse=True)
        self.token_embeddings = nn.ModuleDict(
            {field: nn.Embedding(self.code_counts[field] + 1, width) for field in self._known(TOKEN_FIELDS)}
        )
        self.event_embedding = nn.Embedding(EVENTS, width)
        self.age_embedding = nn.Embedding(AGE_BUCKETS, width)
        self.position_embedding = nn.Embedding(HISTORY_LENGTH + 1, width)
        self.side_embeddings = nn.ModuleDict(
            {field: nn.Embedding(self.code_counts[field] + 1, side) for field in side_fields}
        )
        self.popularity_embedding = nn.Embedding(POPULARITY_BANDS, side)
        self.profile_embeddings = nn.ModuleList(
            nn.Embedding(count + 1, side) for count in self.profile_counts
        )
        self.context_embeddings = nn.ModuleList(nn.Embedding(size, side) for size in CONTEXT_SIZES)
        self.blocks = nn.ModuleList(
            TransformerBlock(width, settings.heads, settings.feed_forward, settings.dropout)
            for _ in range(settings.blocks)
        )
        self.cross_features = CrossFeatures(1 + len(self.match_fields))
        user_width = HISTORY_LENGTH * width + side * (len(self.profile_counts) + len(CONTEXT_SIZES)) + 1
        candidate_width = 2 * width + side * (len(side_fields) + 1) + 1 + self.cross_features.width
        first, *rest = settings.hidden
        self.user_half = nn.Linear(user_width, first)
        self.candidate_half = nn.Linear(candidate_width, first, bias=False)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise([first, *rest, 1]))
        self.dropout = nn.Dropout(settings.dropout)
        self._reset()

    def _known(self, fields: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(field for field in fields if self.code_counts[field] > 0)

    def _transformer(self) -> list[TransformerBlock]:
        return [block for block in self.blocks if isinstance(block, TransformerBlock)]

    def _reset(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.05)
        # An item never seen in training must look like its category and brand, not like noise.
        nn.init.normal_(self.item_embedding.weight, std=0.005)

    # ---- tokens -------------------------------------------------------------------------------------------

    def _item_token(self, items: Tensor) -> Tensor:
        """float32[..., d] from safe ids: item, category and brand, summed."""
        own = self.tables.id_row[items]
        if self.training and self.settings.id_dropout > 0:
            own = torch.where(torch.rand(items.shape) < self.settings.id_dropout, 0, own)
        token: Tensor = self.item_embedding(own)
        for field, embedding in self.token_embeddings.items():
            token = token + embedding(self.tables.codes(field, items))
        return token

    def _history(self, item: Tensor, event: Tensor, age: Tensor) -> History:
        item = self.tables.known(item)
        event = safe_codes(event, EVENTS)
        age = age.clamp(0, AGE_BUCKETS - 1).long()
        # An event of an unknown item still happened: padding is where there is no event.
        present = (event > 0).float()
        positions = self.position_embedding.weight[1:]
        tokens = self._item_token(item) + self.event_embedding(event) + self.age_embedding(age) + positions
        return History(item, event, age, self.dropout(tokens) * present[..., None], present)

    def _candidate_token(self, items: Tensor) -> Tensor:
        return self._item_token(items) + self.position_embedding.weight[0]

    # ---- the two halves of the first MLP layer ------------------------------------------------------------

    def _user_half(self, encoded: Tensor, history: History, profile: Tensor, context: Tensor) -> Tensor:
        """float32[B, first]; encoded: float32[B, T, d]."""
        codes = [
            embedding(safe_codes(column, embedding.num_embeddings))
            for embedding, column in zip(
                [*self.profile_embeddings, *self.context_embeddings],
                [*profile.unbind(1), *context.unbind(1)],
                strict=True,
            )
        ]
        flat = (encoded * history.present[..., None]).flatten(1)
        length = torch.log1p(history.present.sum(1, keepdim=True))
        half: Tensor = self.user_half(torch.cat([flat, *codes, length], dim=-1))
        return half

    def _popularity(self, items: Tensor) -> Tensor:
        """float32[...]: log1p of the shoppers who took each item; in training all but one.

        The popularity of a positive counts the very event that is its label. Without that one shopper an item
        taken once looks in training as a new item looks in serving. Negatives lose one shopper too: were only
        positives counted out, being rare would give the answer away.
        """
        popularity: Tensor = self.tables.popularity[items]
        if self.training:
            popularity = torch.log1p((torch.expm1(popularity) - 1).clamp(min=0))
        return popularity

    def _candidate_half(self, items: Tensor, token: Tensor, encoded: Tensor, cross: Tensor) -> Tensor:
        """float32[..., first]; token and encoded: float32[..., d] before and after the transformer."""
        side = [
            embedding(self.tables.codes(field, items)) for field, embedding in self.side_embeddings.items()
        ]
        popularity = self._popularity(items)
        side.append(self.popularity_embedding((popularity * 2).clamp(0, POPULARITY_BANDS - 1).long()))
        columns = [token, encoded, *side, popularity[..., None], cross]
        half: Tensor = self.candidate_half(torch.cat(columns, dim=-1))
        return half

    def _head(self, first: Tensor) -> Tensor:
        for layer in self.layers:
            first = layer(self.dropout(functional.leaky_relu(first)))
        return first.squeeze(-1)

    def _match_keys(self, items: Tensor, row: Tensor, *, of_history: bool) -> list[Tensor]:
        """int64 keys by item and by each matched field: equal only for one code in one shopper's row."""
        keys = []
        codes = {"item": items} | {field: self.tables.codes(field, items) for field in self.match_fields}
        for field, code in codes.items():
            count = self.tables.items if field == "item" else self.code_counts[field]
            key = row * (count + 1) + code.long()
            keys.append(torch.where(code > 0, key, -1) if of_history else key)
        return keys

    # ---- shared form --------------------------------------------------------------------------------------

    def _shared_logits(
        self,
        history: History,
        user: Tensor,
        layers: list[Tensor],
        items: Tensor,
        mask: Tensor,
        rows: Rows,
    ) -> Tensor:
        """float32[G, C].

        history and layers (each block's input tokens, float32[G, S, d]) are laid out by group;
        user: float32[G, C or 1, first]; items: int64[G, C]; mask: float32, broadcast to [G, C, S].
        """
        cross = self.cross_features(
            self._match_keys(items, rows.candidate, of_history=False),
            self._match_keys(history.item, rows.history, of_history=True),
            history.event,
            history.age,
        )
        token = self._candidate_token(items)
        encoded = token
        for block, tokens in zip(self._transformer(), layers, strict=True):
            encoded = block.attend_shared(encoded, tokens, mask[:, None])
        return self._head(user + self._candidate_half(items, token, encoded, cross))

    def _encode_history(self, history: History) -> tuple[list[Tensor], Tensor]:
        """Each block's input tokens, float32[B, T, d] each, and the last block's output."""
        mask = ((1 - history.present) * MASKED)[:, None, None, :]
        layers, tokens = [], history.tokens
        for block in self._transformer():
            layers.append(tokens)
            tokens = block.attend(tokens, mask)
        return layers, tokens

    def grouped_logits(
        self,
        history_item: Tensor,
        history_event: Tensor,
        history_age: Tensor,
        profile: Tensor,
        context: Tensor,
        candidates: Tensor,
    ) -> Tensor:
        """Logits float32[B, C] of candidates int[B, C], C for each history: the form training uses."""
        history = self._history(history_item, history_event, history_age)
        batch, width = candidates.shape
        if not self.settings.mask_candidate:
            rows = torch.arange(batch, device=candidates.device).repeat_interleave(width)
            flat = self._replicated_logits(history, profile, context, candidates.flatten(), rows)
            return flat.reshape(batch, width)
        layers, encoded = self._encode_history(history)
        user = self._user_half(encoded, history, profile, context)[:, None, :]
        items = self.tables.known(candidates)
        mask = ((1 - history.present) * MASKED)[:, None, :]
        zero = torch.zeros_like(items[:, :1])
        return self._shared_logits(history, user, layers, items, mask, Rows(zero, zero))

    def logits(
        self,
        history_item: Tensor,
        history_event: Tensor,
        history_age: Tensor,
        profile: Tensor,
        context: Tensor,
        candidate_item: Tensor,
        candidate_row: Tensor,
    ) -> Tensor:
        """Logits float32[n]; arguments as in `forward`.

        In the shared form all histories stand side by side as one long sequence of B·T tokens, and a mask
        shows each candidate its own shopper's: one matrix product, no gather of keys per candidate. Its cost
        grows with n·B·T, so keep B to the shoppers of a few requests (16 or fewer).
        """
        history = self._history(history_item, history_event, history_age)
        batch, length = history.item.shape
        row = candidate_row.clamp(0, batch - 1).long()
        items = self.tables.known(candidate_item)
        if not self.settings.mask_candidate:
            return self._replicated_logits(history, profile, context, items, row)
        layers, encoded = self._encode_history(history)
        user = self._user_half(encoded, history, profile, context)[row][None]
        owner = torch.arange(batch, device=row.device)[:, None].expand(batch, length)
        side_by_side = History(
            history.item.reshape(1, -1),
            history.event.reshape(1, -1),
            history.age.reshape(1, -1),
            history.tokens.reshape(1, -1, self.settings.dimension),
            history.present.reshape(1, -1),
        )
        rows = Rows(candidate=row[None], history=owner.reshape(1, -1))
        visible = (rows.candidate[:, :, None] == rows.history[:, None, :]) & (
            side_by_side.present[:, None, :] > 0
        )
        mask = (1 - visible.float()) * MASKED
        layers = [tokens.reshape(1, -1, self.settings.dimension) for tokens in layers]
        return self._shared_logits(side_by_side, user, layers, items[None], mask, rows).squeeze(0)

    # ---- replicated form ----------------------------------------------------------------------------------

    def _replicated_logits(
        self,
        history: History,
        profile: Tensor,
        context: Tensor,
        items: Tensor,
        row: Tensor,
    ) -> Tensor:
        """One sequence history + candidate per candidate; logits float32[n]."""
        items = self.tables.known(items)
        history = History(*(column[row] for column in history))
        token = self._candidate_token(items)
        sequence = torch.cat((history.tokens, token[:, None, :]), dim=1)
        visible = torch.cat((history.present, torch.ones_like(history.present[:, :1])), dim=1)
        mask = ((1 - visible) * MASKED)[:, None, None, :]
        if self.settings.mask_candidate:
            length = sequence.shape[1]
            hidden = torch.zeros(length, length, device=mask.device)
            hidden[:-1, -1] = MASKED
            mask = mask + hidden
        for block in self._transformer():
            sequence = block.attend(sequence, mask)
        cross = self.cross_features(
            self._match_keys(items[:, None], torch.zeros_like(items)[:, None], of_history=False),
            self._match_keys(history.item, torch.zeros_like(items)[:, None], of_history=True),
            history.event,
            history.age,
        ).squeeze(1)
        user = self._user_half(sequence[:, :-1], history, profile[row], context[row])
        return self._head(user + self._candidate_half(items, token, sequence[:, -1], cross))

    def forward(
        self,
        history_item: Tensor,
        history_event: Tensor,
        history_age: Tensor,
        profile: Tensor,
        context: Tensor,
        candidate_item: Tensor,
        candidate_row: Tensor,
    ) -> Tensor:
        """Probability float32[n] that the shopper takes each candidate.

        history_item, history_event, history_age: int32[B, T], newest first, 0 = padding (T = 50);
        profile: int32[B, 4]; context: int32[B, 3]; candidate_item: int32[n]; candidate_row: int32[n], the
        row of the candidate's shopper. Ids and codes outside their tables count as unknown (0), in eager mode
        as in an exported graph. An empty history scores by the other features.
        """
        return torch.sigmoid(
            self.logits(
                history_item, history_event, history_age, profile, context, candidate_item, candidate_row
            )
        )


def plain_replicated_scores(
    model: Bst,
    history_item: Tensor,
    history_event: Tensor,
    history_age: Tensor,
    profile: Tensor,
    context: Tensor,
    candidate_item: Tensor,
    candidate_row: Tensor,
) -> Tensor:
    """What `model` gives, computed the plain way: every candidate with its own copy of the history.

    Arguments as in `Bst.forward`; returns float32[n]. The reference of parity tests and benchmarks.
    """
    row = candidate_row.clamp(0, history_item.shape[0] - 1).long()
    history = model._history(history_item, history_event, history_age)
    return torch.sigmoid(model._replicated_logits(history, profile, context, candidate_item, row))
