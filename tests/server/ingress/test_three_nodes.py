"""The router on three Ray nodes with state in Redis, one of which is killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.node_loss import REPLICAS, serving_loss


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_a_node_lost_while_serving_costs_no_call_after_one_retry_and_no_event(tmp_path: Path) -> None:
    loss = serving_loss(tmp_path)
    assert list(loss.replicas_before) == [1] * REPLICAS
    # Calls were in progress on the node that was lost.
    assert loss.failed_first > 0
    assert (loss.failed, loss.lost, loss.doubled) == (0, 0, 0)
    assert loss.acknowledged > 20
    assert sum(loss.replicas_after) == REPLICAS
