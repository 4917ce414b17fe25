"""A process that shows what a plan's cap leaves room for until it is used up, and prints how much it showed.

python -m tests.state.plan_counts.exposing_replica URL PREFIX NAME CAP SLACK
"""

import asyncio
import sys

from state import RedisSettings, StateSettings, open_state
from state.plan_counts.plan_count import PlanWindow
from state.plan_counts.plan_ledger import PlanLedger

END = 4_000_000_000


async def main(url: str, prefix: str, name: str, cap: int, slack: int) -> None:
    store = open_state(StateSettings(url=url, redis=RedisSettings(prefix=prefix, write_timeout_s=10)))
    ledger = PlanLedger(store.exchange_plan_counts, lambda: {"p": PlanWindow(END, slack)}, name)
    running = asyncio.create_task(ledger.run(0.05))
    shown = 0
    while True:
        standing = ledger.standing("p")
        if standing is not None:
            if standing.shown >= cap:
                break
            room = min(cap - standing.shown, slack - standing.unshared, 3)
            if room > 0:
                ledger.note("p", room, 0, 0.0, slack)
                shown += room
        await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await ledger.close()
    store.close()
    print(shown, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5])))
