"""Multi-Interest Network with Dynamic routing, MIND (Li et al. 2019, arXiv:1904.08030)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from features.history import HISTORY_LENGTH
from models.cross_features import AGE_BUCKETS
from models.dual_gate import FusionGate, nearest_interest, short_term
from models.item_features import ItemFeatures, safe_codes
from models.mind_settings import MindNetworkSettings
from models.pooled_items import PooledItems
from models.transformer import MASKED
from snapshot.event_codes import HISTORY_ROWS

_ITEMS_AT_ONCE = 131_072


def _length(square: Tensor) -> Tensor:
    """Root of a squared length, never 0. A bound, because exporters drop the addition of a tiny number."""
    return torch.sqrt(square.clamp(min=1e-12))


def _unit(vectors: Tensor) -> Tensor:
    """Vectors of length 1 along the last axis; a zero vector stays zero."""
    return vectors / _length((vectors * vectors).sum(-1, keepdim=True))


def squash(capsules: Tensor) -> Tensor:
    """Shrinks each vector to length |c|² / (1 + |c|²), direction kept (Sabour et al. 2017, eq. 1)."""
    square = (capsules * capsules).sum(-1, keepdim=True)
    return capsules * (square / (1 + square) / _length(square))


class Mind(PooledItems):
    """Turns a history into several interest vectors, in the same space as the item vectors.

    `item_embedding` has sparse gradients: only rows of the batch are updated. Routing starts from logits
    drawn once from `routing_seed`, so the graph is deterministic.
    """

    routing_start: Tensor

    def __init__(self, settings: MindNetworkSettings, features: ItemFeatures, routing_seed: int = 0) -> None:
        """Draws new weights, and the starting logits of routing from `routing_seed`."""
        width = settings.dimension
        super().__init__(features, width, settings.min_item_users, settings.id_dropout, sparse=True)
        self.settings = settings
        self.event_weight = nn.Embedding(HISTORY_ROWS, 1)
        self.age_weight = nn.Embedding(AGE_BUCKETS, 1)
        self.bilinear = nn.Linear(width, width, bias=False)
        self.expand = nn.Linear(width, 2 * width)
        self.contract = nn.Linear(2 * width, width)
        self.fusion_gate = FusionGate(width) if settings.form == "dual_gate" else None
        generator = torch.Generator().manual_seed(routing_seed)
        self.register_buffer(
            "routing_start", torch.randn(settings.interests, HISTORY_LENGTH, generator=generator)
        )
        self._reset()

    def _reset(self) -> None:
        self.start_items(self.settings.dimension)
        nn.init.zeros_(self.event_weight.weight)
        nn.init.zeros_(self.age_weight.weight)
        nn.init.eye_(self.bilinear.weight)
        nn.init.zeros_(self.contract.weight)
        nn.init.zeros_(self.contract.bias)

    # ---- items --------------------------------------------------------------------------------------------

    def vectors_of(self, items: Tensor) -> Tensor:
        """float32[..., D], length 1: vectors of the given items (int[...]), gradients kept."""
        return _unit(self.pooled(self.tables.known(items)))

    @torch.no_grad()
    def item_vectors(self) -> Tensor:
        """float32[N+1, D]: all item vectors, of length 1; row 0 (unknown) is zero."""
        was_training = self.training
        self.eval()
        items = torch.arange(self.tables.items + 1)
        # Filled part by part: put together from parts, they would be held twice.
        vectors = torch.empty(len(items), self.settings.dimension)
        for some in items.split(_ITEMS_AT_ONCE):
            vectors[some[0] : some[-1] + 1] = self.vectors_of(some)
        self.train(was_training)
        vectors[0] = 0
        return vectors

    # ---- interests ----------------------------------------------------------------------------------------

    def active_interests(self, history_event: Tensor) -> Tensor:
        """float32[B, K]: 1 for the first K' = max(1, min(K, log2 |history|)) interests (eq. 9), 0 behind.

        All are 0 where the history is empty.
        """
        length = (history_event > 0).float().sum(1, keepdim=True)
        count = torch.floor(torch.log2(length.clamp(min=1))).clamp(1, self.settings.interests)
        order = torch.arange(self.settings.interests, device=length.device).float()
        return ((order[None, :] < count) & (length > 0)).float()

    def _route(self, behaviours: Tensor, weight: Tensor, active: Tensor) -> Tensor:
        """Behaviour-to-interest dynamic routing (algorithm 1): float32[B, K, D].

        behaviours: float32[B, T, D] after the shared bilinear map; weight: float32[B, T], 0 at padding;
        active: float32[B, K]. Gradients flow through the last iteration only, as in the authors' code.
        """
        logits = self.routing_start[None].expand(behaviours.shape[0], -1, -1)
        silenced = ((1 - active) * MASKED)[:, :, None]
        detached = behaviours.detach()
        for _ in range(self.settings.routing_iterations - 1):
            share = torch.softmax(logits + silenced, dim=1) * weight.detach()[:, None, :]
            capsules = squash(share @ detached)
            logits = logits + capsules @ detached.transpose(1, 2)
        share = torch.softmax(logits + silenced, dim=1) * weight[:, None, :]
        return squash(share @ behaviours)

    def forward(self, history_item: Tensor, history_event: Tensor, history_age: Tensor) -> Tensor:
        """Interests float32[B, K, D] of length 1; an interest that is not active is all zero.

        history_item, history_event, history_age: int32[B, T], newest first, 0 = padding (T = 50). Short
        histories have fewer interests (`active_interests`), an empty one has none. Ids outside the tables are
        unknown.
        """
        event = safe_codes(history_event, HISTORY_ROWS)
        age = history_age.clamp(0, AGE_BUCKETS - 1).long()
        item = self.tables.known(history_item)
        # An unknown item has no place in the vector space: it shapes no interest.
        event = torch.where(item > 0, event, torch.zeros_like(event))
        active = self.active_interests(event)
        importance = torch.exp((self.event_weight(event) + self.age_weight(age)).squeeze(-1))
        weight = importance * (event > 0).float()
        behaviours = self.bilinear(self.pooled(item))
        capsules = self._route(behaviours, weight, active)
        refined = _unit(capsules + self.contract(torch.relu(self.expand(_unit(capsules)))))
        if self.fusion_gate is not None:
            newest = slice(0, self.settings.short_behaviours)
            present = (event[:, newest] > 0).float()
            short = short_term(refined, _unit(behaviours[:, newest]), present, self.settings.temperature)
            shopper = _unit(weight[:, None, :] @ behaviours)
            refined = _unit(self.fusion_gate(shopper, _unit(short), refined))
        return refined * active[..., None]

    def label_aware(self, interests: Tensor, targets: Tensor) -> Tensor:
        """The shopper's vector as each target sees it (eq. 7): float32[B, P, D], length 1.

        interests: float32[B, K, D]; targets: float32[B, P, D], length 1. Interests are weighed by
        softmax((v·e / temperature)^p) with negative products as 0; inactive ones get no weight. The form
        dual_gate chooses the nearest.
        """
        if self.fusion_gate is not None:
            return nearest_interest(interests, targets)
        product = targets @ interests.transpose(1, 2)
        sharp = (product.clamp(min=0) / self.settings.temperature) ** self.settings.power
        inactive = (interests.abs().sum(-1) == 0).float()[:, None, :]
        return _unit(torch.softmax(sharp + inactive * MASKED, dim=-1) @ interests)
