"""A process with two more kinds of events, registered before anything is derived; prints what became of them.

python -m tests.added_kinds <empty folder>
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from contextlib import closing
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

SHARE, UNFAVORITE = 7, 8
NAME = "snapshot.event_kinds"

# Alone, since the package `snapshot` imports what is derived from the kinds.
_spec = spec_from_file_location(NAME, Path(__file__).parents[1] / f"{NAME.replace('.', '/')}.py")
assert _spec is not None
assert _spec.loader is not None
kinds = sys.modules[NAME] = module_from_spec(_spec)
_spec.loader.exec_module(kinds)

kinds.EVENT_KINDS["share"] = kinds.EventKind(
    code=SHARE,
    role="consideration",
    noun="a share",
    synonyms=("forward",),
    absent="shares add nothing to interests",
    scores={1: 3.8, 2: 4.0},
    sample_weight=2.5,
    live_signal="views",
)
kinds.EVENT_KINDS["unfavorite"] = kinds.EventKind(
    code=UNFAVORITE, role="correction", noun="taking a favourite back", absent="favourites stay"
)


def in_files(folder: Path) -> dict[str, Any]:
    """What a folder of events becomes as a data set, and what models, scores and sample rules make of it."""
    import polars as pl

    from evaluation.sample_rules.graded_labels import RULE
    from evaluation.sample_rules.rule import SampleLog
    from features.behaviour_score import behaviour_scores
    from models.cross_features import CrossFeatures
    from models.shopper_inputs import valid_ranges
    from recall.triggers import select_triggers
    from snapshot.event_codes import VIEW
    from state import StateSettings, open_state
    from state.seed import seed_state
    from tests.ingest.small_shop import ROWS, columns, csv_text, ingest

    names = ["view"] * (ROWS - 3) + ["Forward", "unfavorite", "purchase"]
    dataset = ingest(folder, {"events.csv": csv_text(columns(event=names))})
    events = dataset.events().collect()
    shared = events.filter(pl.col("event") == SHARE)
    triggers = select_triggers(*(events[name].to_numpy() for name in ("item", "event", "ts")), now=0)
    log = SampleLog(events.clear(), events, dataset.users(), dataset.catalogue)
    grades = RULE.weigh(log, RULE.settings()).weights
    settings = StateSettings(url=f"lmdb://{folder / 'seeded'}", sync=False)
    with closing(open_state(settings)) as store:
        seed_state(store, dataset, settings)
        seeded = asyncio.run(store.read(dataset.users()["user_id"][shared["user"][0] - 1]))
    return {
        "rows": {name: dataset.manifest.rows[f"events_{name}"] for name in ("share", "unfavorite", "view")},
        "codes": sorted(set(events["event"])),
        "absent": dataset.manifest.switched_off,
        "score": round(behaviour_scores(shared)["score"].item(), 2),
        "triggers": len(triggers[0]),
        "grade": round(
            (grades.filter(events["event"] == SHARE) / grades.filter(events["event"] == VIEW)[0]).item(), 2
        ),
        "seeded": seeded.behaviours.events.tolist(),
        "model_codes": valid_ranges(1, 1)["history_event"],
        "cross_columns": CrossFeatures(0).by_event.shape[1],
    }


def reported(folder: Path) -> dict[str, Any]:
    """What events that are reported by RPC become in the store, the learner and an inspection."""

    from inspection.shopper_facts import inspect_shopper
    from protos.shopfront.v1.event_pb2 import Event, ReportEventsRequest
    from router.events import check_events
    from snapshot.event_codes import IS_CONSIDERATION
    from state import StateSettings, open_state
    from testing.browsing_log import CODEC, START_S
    from tests.learning.stream.logs import ITEMS, counts, item, new_state, read, small_catalogue

    events = [
        Event(user_id="u1", item_id=ITEMS[0], type=code, timestamp_ms=START_S * 1_000)
        for code in (SHARE, UNFAVORITE, UNFAVORITE + 1)
    ]
    checked = check_events(ReportEventsRequest(events=events), START_S * 1_000, CODEC)
    catalogue = small_catalogue(folder / "catalogue")
    with closing(open_state(StateSettings(url=f"lmdb://{folder / 'state'}", sync=False))) as store:
        asyncio.run(store.append(checked.batch))
        state = asyncio.run(store.read("u1"))
        logged = [event for _, event in store.read_log()]
    learner = new_state(catalogue, folder)
    read(learner, logged)
    return {
        "fault": [fault.reason for fault in checked.faults],
        "behaviours": state.behaviours.events.tolist(),
        "cart": state.cart_changes.items.tolist(),
        "logged": [event.event for event in logged],
        "shown": [event.type for event in inspect_shopper(state, catalogue, 5).events],
        "interest": IS_CONSIDERATION[state.behaviours.events].tolist(),
        "counted": counts(learner, folder, "item", item(ITEMS[0]), START_S // 60 * 60.0),
        "dropped": dict(Counter(learner.drops)),
    }


def main() -> None:
    """Prints what became of the kinds, as JSON."""
    folder = Path(sys.argv[1])
    for name in ("files", "reported"):
        (folder / name).mkdir()
    print(json.dumps({"files": in_files(folder / "files"), "reported": reported(folder / "reported")}))


if __name__ == "__main__":
    main()
