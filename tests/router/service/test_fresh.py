"""New items on pages that are served: no item is shown more often than its budget, over restarts too."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

import pytest

from protos.shopfront.v1.recommend_pb2 import RecommendRequest
from recall.settings import RecallSettings
from router.service.call import new_call
from server.startup import start_service
from testing.served_shop import make_shop

NO_TRITON = "127.0.0.1:9"
BUDGET, OF_A_DAY, ITEMS = 3, 30, 20
FRESH = {"enabled": True, "window_days": 40_000.0, "max_items": ITEMS, "item_budget": BUDGET, "limit": 4}
SCENES = """
scenes:
  arrivals:
    channels:
      fresh: {share: 1.0, timeout_ms: 2000.0}
    ranking: {enabled: false}
    deadline: {budget_ms: 4000.0}
"""


@pytest.mark.slow
async def test_new_items_are_shown_until_their_budget_is_spent(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    shop.scenes.write_text(SCENES)
    shop.publish(recall=RecallSettings.model_validate({"fresh": FRESH}))
    shown: Counter[str] = Counter()
    # The day's budget, and then, with more for the day, each item's own.
    for daily, replicas in ((OF_A_DAY, 2), (None, 2)):
        for number in range(replicas):
            recall = {"fresh": FRESH | {"daily_budget": daily}}
            settings = shop.settings(NO_TRITON, recall=recall).model_copy(
                update={"exposure_exchange_s": 0.05}
            )
            running = await start_service(settings)
            idle = 0
            while idle < 30:
                asked = RecommendRequest(scene="arrivals", user_id=f"{number}-{shown.total()}", page_size=2)
                answer = await running.service.recommend(asked, new_call(time.monotonic()))
                shown.update(item.item_id for item in answer.items)
                assert len(answer.items) <= 2
                assert all(count <= BUDGET for count in shown.values())
                idle = 0 if answer.items else idle + 1
                await asyncio.sleep(0.003)
            await running.stop()
            if daily is not None:
                assert shown.total() <= daily
        if daily is not None:
            assert shown.total() > daily - 5
    assert shown.total() > BUDGET * ITEMS - 5
