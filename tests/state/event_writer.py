"""A process that appends events one by one and prints the item of each once it is durable.

python -m tests.state.event_writer URL NAME COUNT MAP_BYTES
"""

import asyncio
import sys
import time

from state import EventBatch, LoggedEvent, StateSettings, open_state


async def main(url: str, name: str, count: int, map_bytes: int) -> None:
    store = open_state(StateSettings(url=url, map_initial_bytes=map_bytes))
    for n in range(count):
        item = f"{name}-{n}"
        arrived_ms = int(time.time() * 1000)
        # One user for all, so that records are written over; long texts, so that the log grows.
        event = LoggedEvent("shared", item, 2, n * 1_000, arrived_ms, query="q" * 4_000, session_id=name)
        await store.append(EventBatch.of([event]))
        print(item, flush=True)
    store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
