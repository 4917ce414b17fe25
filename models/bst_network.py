"""Behavior Sequence Transformer for CTR (Chen et al. 2019, arXiv:1905.06874), with a shared history.

The paper puts the candidate into the shopper's sequence and lets every token attend to every other, so the
history must be computed again for each candidate. By default (`mask_candidate`) the history here does not
look at the candidate: its part is computed once per shopper, each candidate attends to the history and to
itself, and the first layer of the MLP is split into a half computed once per shopper and one per candidate.
Without the mask it is the paper's form, of which `models.seen_candidate` shares what can be shared exactly.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from features.context import CONTEXT_SIZES
from models.bst_settings import BstNetworkSettings
from models.cross_features import AGE_BUCKETS, CrossFeatures
from models.history_tokens import History, Rows
from models.item_features import ItemFeatures, ItemTables, safe_codes
from models.seen_candidate import encode_grouped, encode_rows
from models.transformer import MASKED, TransformerBlock
from snapshot.event_codes import HISTORY_ROWS

TOKEN_FIELDS = ("category", "brand")
MATCH_FIELDS = ("category", "brand", "shop")
SIDE_FIELDS = ("category", "standard_category", "brand", "shop", "price_band")
POPULARITY_BANDS = 32  # two per unit of log1p(shoppers)


class Bst(nn.Module):
    """Scores candidates for shoppers.

    Build it from a catalogue's `ItemFeatures` and from the number of codes of each profile field
    (`profile_counts`, 0 excluded). Fields of which the shop knows no code are left out of the graph.
    `item_embedding` has sparse gradients: only rows of the batch are updated.
    """

    def __init__(
        self, settings: BstNetworkSettings, features: ItemFeatures, profile_counts: tuple[int, ...]
    ) -> None:
        """Draws new weights; side features and table sizes come from the catalogue."""
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
        self.event_embedding = nn.Embedding(HISTORY_ROWS, width)
        self.age_embedding = nn.Embedding(AGE_BUCKETS, width)
        self.position_embedding = nn.Embedding(settings.history_length + 1, width)
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
        self.candidate_blocks = nn.ModuleList(
            TransformerBlock(width, settings.heads, settings.feed_forward, settings.dropout)
            for _ in range(settings.candidate_blocks)
        )
        self.cross_features = CrossFeatures(1 + len(self.match_fields))
        facts = side * (len(self.profile_counts) + len(CONTEXT_SIZES)) + 1
        user_width = settings.history_length * width + facts
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

    def _candidate_transformer(self) -> list[TransformerBlock]:
        """Blocks of the candidate's row alone, which attends to the history's outputs in each."""
        return [block for block in self.candidate_blocks if isinstance(block, TransformerBlock)]

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
        newest = slice(self.settings.history_length)
        item = self.tables.known(item[:, newest])
        event = safe_codes(event[:, newest], HISTORY_ROWS)
        age = age[:, newest].clamp(0, AGE_BUCKETS - 1).long()
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
        return self._encoded_part(encoded, history.present) + self._facts_part(history, profile, context)

    def _encoded_part(self, encoded: Tensor, present: Tensor) -> Tensor:
        """float32[..., first] of the user half; encoded: float32[..., T, d]; present: float32[..., T]."""
        flat = (encoded * present[..., None]).flatten(-2)
        return functional.linear(flat, self.user_half.weight[:, : flat.shape[-1]])

    def _facts_part(self, history: History, profile: Tensor, context: Tensor) -> Tensor:
        """float32[B, first] of the user half: profile, context and the history's length."""
        codes = [
            embedding(safe_codes(column, embedding.num_embeddings))
            for embedding, column in zip(
                [*self.profile_embeddings, *self.context_embeddings],
                [*profile.unbind(1), *context.unbind(1)],
                strict=True,
            )
        ]
        length = torch.log1p(history.present.sum(1, keepdim=True))
        encoded = self.settings.history_length * self.settings.dimension
        weight = self.user_half.weight[:, encoded:]
        return functional.linear(torch.cat([*codes, length], dim=-1), weight, self.user_half.bias)

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

    # ---- candidates and the history they share ------------------------------------------------------------

    def _cross(self, items: Tensor, history: History, rows: Rows) -> Tensor:
        """float32[G, C, …]: items int64[G, C] and histories, laid out by group."""
        cross: Tensor = self.cross_features(
            self._match_keys(items, rows.candidate, of_history=False),
            self._match_keys(history.item, rows.history, of_history=True),
            history.event,
            history.age,
        )
        return cross

    def _encode_history(self, history: History) -> tuple[list[Tensor], Tensor]:
        """What candidates attend to in each of their blocks, float32[B, T, d] each, and the last output."""
        mask = ((1 - history.present) * MASKED)[:, None, None, :]
        layers, tokens = [], history.tokens
        for block in self._transformer():
            layers.append(tokens)
            tokens = block.attend(tokens, mask)
        return layers + [tokens] * len(self.candidate_blocks), tokens

    def _encode_candidates(self, token: Tensor, layers: list[Tensor], mask: Tensor) -> Tensor:
        """float32[G, C, d] of tokens float32[G, C, d]; layers: each block's history, float32[G, S, d]."""
        blocks = self._transformer() + self._candidate_transformer()
        for block, tokens in zip(blocks, layers, strict=True):
            token = block.attend_shared(token, tokens, mask[:, None])
        return token

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
        items = self.tables.known(candidates)
        token = self._candidate_token(items)
        if self.settings.mask_candidate:
            layers, seen = self._encode_history(history)
            user = self._user_half(seen, history, profile, context)[:, None, :]
            encoded = self._encode_candidates(token, layers, ((1 - history.present) * MASKED)[:, None, :])
        else:
            seen, encoded = encode_grouped(self._transformer(), history.tokens, history.present, token)
            user = self._encoded_part(seen, history.present[:, None])
            user = user + self._facts_part(history, profile, context)[:, None, :]
        zero = torch.zeros_like(items[:, :1])
        cross = self._cross(items, history, Rows(zero, zero))
        return self._head(user + self._candidate_half(items, token, encoded, cross))

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

        Where candidates meet histories, all histories stand side by side as one long sequence of B·T tokens,
        and a mask shows each candidate its own shopper's: one matrix product, no gather of keys per
        candidate. Its cost grows with n·B·T, so keep B to the shoppers of a few requests (16 or fewer).
        """
        history = self._history(history_item, history_event, history_age)
        row = candidate_row.clamp(0, history.item.shape[0] - 1).long()
        items = self.tables.known(candidate_item)[None]
        token = self._candidate_token(items)
        together, rows = history.side_by_side(), Rows.of_candidates(row, history)
        if self.settings.mask_candidate:
            layers, seen = self._encode_history(history)
            user = self._user_half(seen, history, profile, context)[row]
            visible = (rows.candidate[:, :, None] == rows.history[:, None, :]) & (
                together.present[:, None, :] > 0
            )
            layers = [tokens.reshape(1, -1, self.settings.dimension) for tokens in layers]
            encoded = self._encode_candidates(token, layers, (1 - visible.float()) * MASKED)
        else:
            blocks = self._transformer()
            seen, own = encode_rows(blocks, history.tokens, history.present, token.squeeze(0), row)
            encoded = own[None]
            user = self._encoded_part(seen, history.present[row])
            user = user + self._facts_part(history, profile, context)[row]
        cross = self._cross(items, together, rows)
        return self._head(user[None] + self._candidate_half(items, token, encoded, cross)).squeeze(0)

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

        history_item, history_event, history_age: int32[B, T], newest first, 0 = padding (T = 50, of which the
        newest `history_length` are read); profile: int32[B, 4]; context: int32[B, 3]; candidate_item:
        int32[n]; candidate_row: int32[n], the row of the candidate's shopper. Ids and codes outside their
        tables count as unknown (0), in eager mode as in an exported graph. An empty history scores by the
        other features.
        """
        return torch.sigmoid(
            self.logits(
                history_item, history_event, history_age, profile, context, candidate_item, candidate_row
            )
        )
