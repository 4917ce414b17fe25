"""A light two-tower model that narrows thousands of candidates to those BST ranks (prerank).

A tower for shoppers and one for items end in vectors of the same width, whose product is the score (Huang
et al. 2013, CIKM, DSSM; as a pre-ranking stage: Wang et al. 2020, COLD, arXiv:2007.16122). The item's vector
does not depend on the shopper: at serving it is read from a table. As in COLD a few cheap cross features
stand beside the product, because a vector cannot say "this very item, last week": how much of the history, by
event and age, is this item, its category, its brand.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from features.context import CONTEXT_SIZES
from models.cross_features import AGE_BUCKETS
from models.item_features import ItemFeatures, ItemTables, safe_codes
from models.prerank_settings import TwoTowerNetworkSettings
from models.transformer import MASKED
from snapshot.event_codes import HISTORY_ROWS

ITEM_FIELDS = ("category", "brand")
SIDE_FIELDS = ("category", "standard_category", "brand", "shop", "price_band")
MATCH_FIELDS = ("item", "category", "brand")


class TwoTower(nn.Module):
    """Scores candidates for shoppers, with the inputs and the output of `models.bst_network.Bst`.

    `item_embedding` has sparse gradients: only rows of the batch are updated. Fields of which the shop knows
    no code are left out of the graph.
    """

    def __init__(
        self, settings: TwoTowerNetworkSettings, features: ItemFeatures, profile_counts: tuple[int, ...]
    ) -> None:
        """Draws new weights; side features and table sizes come from the catalogue."""
        super().__init__()
        self.settings = settings
        self.code_counts = dict(features.code_counts)
        self.profile_counts = tuple(profile_counts)
        width, side, hidden = settings.token_dimension, settings.side_dimension, settings.hidden
        self.tables = ItemTables(features, settings.min_item_users)
        self.item_embedding = nn.Embedding(self.tables.id_rows, width, sparse=True)
        self.token_embeddings = nn.ModuleDict(
            {field: nn.Embedding(self.code_counts[field] + 1, width) for field in self._known(ITEM_FIELDS)}
        )
        self.event_embedding = nn.Embedding(HISTORY_ROWS, width)
        self.age_embedding = nn.Embedding(AGE_BUCKETS, width)
        self.attention = nn.Linear(width, settings.interests)
        self.profile_embeddings = nn.ModuleList(nn.Embedding(n + 1, side) for n in self.profile_counts)
        self.context_embeddings = nn.ModuleList(nn.Embedding(n, side) for n in CONTEXT_SIZES)
        facts = side * (len(self.profile_counts) + len(CONTEXT_SIZES)) + 1
        self.shopper_hidden = nn.Linear(settings.interests * width + facts, hidden)
        self.shopper_output = nn.Linear(hidden, settings.dimension)
        self.side_embeddings = nn.ModuleDict(
            {field: nn.Embedding(self.code_counts[field] + 1, side) for field in self._known(SIDE_FIELDS)}
        )
        self.item_hidden = nn.Linear(width + side * len(self.side_embeddings) + 1, hidden)
        self.item_output = nn.Linear(hidden, settings.dimension + 1)
        self.match_fields = ("item", *self._known(MATCH_FIELDS[1:]))
        self.match_event = nn.Embedding(HISTORY_ROWS, len(self.match_fields))
        self.match_age = nn.Embedding(AGE_BUCKETS, len(self.match_fields))
        self.match_scale = nn.Parameter(torch.ones(len(self.match_fields)))
        self.dropout = nn.Dropout(settings.dropout)
        self._reset()

    def _known(self, fields: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(field for field in fields if self.code_counts[field] > 0)

    def _reset(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.05)
        # An item never seen in training must look like its category and brand, not like noise.
        nn.init.normal_(self.item_embedding.weight, std=0.005)
        nn.init.zeros_(self.match_event.weight)
        with torch.no_grad():
            older = -0.1 * torch.arange(AGE_BUCKETS, dtype=torch.float32)
            self.match_age.weight.copy_(older[:, None].expand_as(self.match_age.weight))

    # ---- towers -------------------------------------------------------------------------------------------

    def _item_token(self, items: Tensor) -> Tensor:
        """float32[..., token_dimension] from safe ids: item, category and brand, summed."""
        own = self.tables.id_row[items]
        if self.training and self.settings.id_dropout > 0:
            own = torch.where(torch.rand(items.shape) < self.settings.id_dropout, 0, own)
        token: Tensor = self.item_embedding(own)
        for field, embedding in self.token_embeddings.items():
            token = token + embedding(self.tables.codes(field, items))
        return token

    def item_tower(self, items: Tensor) -> Tensor:
        """float32[..., D + 1] of safe ids int64[...]: the item's vector, and behind it its bias."""
        side = [
            embedding(self.tables.codes(field, items)) for field, embedding in self.side_embeddings.items()
        ]
        popularity = self.tables.popularity[items][..., None]
        columns = torch.cat([self._item_token(items), *side, popularity], dim=-1)
        hidden = self.dropout(functional.leaky_relu(self.item_hidden(columns)))
        output: Tensor = self.item_output(hidden)
        return output

    @torch.no_grad()
    def item_table(self, chunk: int = 65_536) -> Tensor:
        """float32[N+1, D + 1]: `item_tower` of every item, in eval mode, `chunk` items at a time."""
        was_training = self.training
        self.eval()
        items = torch.arange(self.tables.items + 1)
        table = torch.cat([self.item_tower(part) for part in items.split(chunk)])
        self.train(was_training)
        return table

    def shopper_tower(
        self, item: Tensor, event: Tensor, age: Tensor, profile: Tensor, context: Tensor
    ) -> Tensor:
        """float32[B, D] of safe histories (int64[B, T] each), profile int[B, 4] and context int[B, 3]."""
        present = (event > 0).float()
        tokens = self._item_token(item) + self.event_embedding(event) + self.age_embedding(age)
        tokens = self.dropout(tokens)
        weight = torch.softmax(self.attention(tokens) + ((1 - present) * MASKED)[..., None], dim=1)
        # Where there is no history, the softmax weighs padding: it must not count.
        interests = weight.transpose(1, 2) @ (tokens * present[..., None])
        codes = [
            embedding(safe_codes(column, embedding.num_embeddings))
            for embedding, column in zip(
                [*self.profile_embeddings, *self.context_embeddings],
                [*profile.unbind(1), *context.unbind(1)],
                strict=True,
            )
        ]
        length = torch.log1p(present.sum(1, keepdim=True))
        columns = torch.cat([interests.flatten(1), *codes, length], dim=-1)
        hidden = self.dropout(functional.leaky_relu(self.shopper_hidden(columns)))
        output: Tensor = self.shopper_output(hidden) / math.sqrt(self.settings.dimension)
        return output

    # ---- what the history holds of the candidate ----------------------------------------------------------

    def _codes(self, field: str, items: Tensor) -> Tensor:
        return items if field == "item" else self.tables.codes(field, items)

    def _held(self, item: Tensor, event: Tensor, age: Tensor) -> list[tuple[Tensor, Tensor]]:
        """For each matched field the codes int[B, T] of the history and what each counts for, float32[B, T].

        An event counts for exp(event + age), learned; padding and unknown codes for nothing.
        """
        weight = torch.exp(self.match_event(event) + self.match_age(age)) * (event > 0)[..., None]
        held = []
        for column, field in enumerate(self.match_fields):
            codes = self._codes(field, item)
            held.append((codes, weight[..., column] * (codes > 0)))
        return held

    def _matches(self, candidates: Tensor, held: list[tuple[Tensor, Tensor]]) -> Tensor:
        """float32[..., C]: scale · log(1 + what the history holds of the candidate's code), fields summed.

        candidates: int64[..., C], safe; held: codes and weights [..., T] of each field.
        """
        total = torch.zeros(candidates.shape, device=candidates.device)
        for scale, field, (codes, weight) in zip(self.match_scale, self.match_fields, held, strict=True):
            match = self._codes(field, candidates)[..., :, None] == codes[..., None, :]
            total = total + scale * torch.log1p((match.float() * weight[..., None, :]).sum(-1))
        return total

    # ---- scores -------------------------------------------------------------------------------------------

    def _safe(self, item: Tensor, event: Tensor, age: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.tables.known(item), safe_codes(event, HISTORY_ROWS), age.clamp(0, AGE_BUCKETS - 1).long()

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
        history = self._safe(history_item, history_event, history_age)
        items = self.tables.known(candidates)
        shopper = self.shopper_tower(*history, profile, context)
        tower = self.item_tower(items)
        product = (tower[..., :-1] @ shopper[..., None]).squeeze(-1)
        return product + tower[..., -1] + self._matches(items, self._held(*history))

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
        """Score float32[n], 0…1, in the order in which candidates are worth ranking; not a probability.

        Arguments as in `models.bst_network.Bst.forward`: ids and codes outside their tables count as unknown.
        """
        history = self._safe(history_item, history_event, history_age)
        row = candidate_row.clamp(0, history_item.shape[0] - 1).long()
        items = self.tables.known(candidate_item)
        shopper = self.shopper_tower(*history, profile, context)
        tower = self.item_tower(items)
        product = (tower[:, :-1] * shopper[row]).sum(-1)
        held = [(codes[row], weight[row]) for codes, weight in self._held(*history)]
        return torch.sigmoid(product + tower[:, -1] + self._matches(items[:, None], held).squeeze(1))
