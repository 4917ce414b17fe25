"""Cross features against a plain loop over candidates and history."""

from __future__ import annotations

import math

import torch

from models.cross_features import DECAY_MINUTES, NEVER, CrossFeatures
from snapshot.event_codes import INTEREST_CODES

FIELDS = 3


def test_counts_decays_and_latest_age_are_those_of_a_plain_loop() -> None:
    torch.manual_seed(0)
    cross = CrossFeatures(FIELDS)
    candidate = [torch.randint(0, 4, (2, 3)) for _ in range(FIELDS)]
    history = [torch.randint(-1, 4, (2, 9)) for _ in range(FIELDS)]
    event = torch.randint(2, 6, (2, 9))
    age = torch.randint(1, 25, (2, 9))
    result = cross(candidate, history, event, age)
    assert result.shape == (2, 3, cross.width)
    for group in range(2):
        for column in range(3):
            expected = []
            for field in range(FIELDS):
                wanted = candidate[field][group, column]
                match = [t for t in range(9) if history[field][group, t] == wanted]
                events = [int(event[group, t]) for t in match]
                ages = [int(age[group, t]) for t in match]
                expected += [math.log1p(events.count(code)) for code in INTEREST_CODES]
                expected += [
                    math.log1p(sum(math.exp(-(2.0**a / 2) / scale) for a in ages)) for scale in DECAY_MINUTES
                ]
                expected += cross.last_age[field].weight[min(ages, default=NEVER)].tolist()
            torch.testing.assert_close(result[group, column], torch.tensor(expected), atol=1e-5, rtol=1e-5)
