"""The plain form of BST: every candidate with its own copy of the history. What shared forms must equal."""

from __future__ import annotations

import torch
from torch import Tensor

from models.bst_network import Bst
from models.history_tokens import History
from models.transformer import MASKED


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
    return torch.sigmoid(replicated_logits(model, history, profile, context, candidate_item, row))


def replicated_logits(
    model: Bst, history: History, profile: Tensor, context: Tensor, items: Tensor, row: Tensor
) -> Tensor:
    """Logits float32[n] of items int[n], each attended in one sequence history + candidate.

    history, profile and context: of B shoppers; row: int64[n], each candidate's shopper.
    """
    items = model.tables.known(items)
    history = History(*(column[row] for column in history))
    token = model._candidate_token(items)
    sequence = torch.cat((history.tokens, token[:, None, :]), dim=1)
    visible = torch.cat((history.present, torch.ones_like(history.present[:, :1])), dim=1)
    mask = ((1 - visible) * MASKED)[:, None, None, :]
    length = sequence.shape[1]
    hidden = torch.zeros(length, length, device=mask.device)
    if model.settings.mask_candidate:
        hidden[:-1, -1] = MASKED
    for block in model._transformer():
        sequence = block.attend(sequence, mask + hidden)
    own = sequence[:, -1:]
    for block in model._candidate_transformer():
        own = block.attend_shared(own, sequence[:, :-1], mask[..., :-1])
    alone = torch.zeros_like(items)[:, None]
    cross = model.cross_features(
        model._match_keys(items[:, None], alone, of_history=False),
        model._match_keys(history.item, alone, of_history=True),
        history.event,
        history.age,
    ).squeeze(1)
    user = model._user_half(sequence[:, :-1], history, profile[row], context[row])
    return model._head(user + model._candidate_half(items, token, own.squeeze(1), cross))
