"""Simulated shoppers whose taste flips at a known time: the page's click rate with and without the learner.

The whole service runs over a copy of a workspace: Triton, the router's processes, and the learner. New
shoppers, each of whom likes a third of the best sold categories, ask for pages, report what they see, and
click what they like with one probability and the rest with another. Half of them are answered by `home`, half
by the same scene with the columns `live.lift` and `online.lift` added. At the flip each shopper likes another
third. Both arms learn of clicks through user state, the recall channels and the model's history; only the
second has the learner's columns.

The shoppers are simulated; everything that answers them is not. They ask for one page after the other,
hundreds in minutes, which the learner would take for robots: `shopper_impressions` and `shopper_events` are
raised so that all of it counts, unless `--robots` says otherwise.

Run `python -m benchmarks.taste_flip [--workspace build/sample] [--before 90] [--after 150]`.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import yaml
from rich.console import Console
from rich.table import Table

from benchmarks.running_workspace import copy_of
from protos.shopfront.v1 import event_pb2
from protos.shopfront.v1.event_pb2_grpc import EventServiceStub
from protos.shopfront.v1.recommend_pb2 import RecommendRequest, RecommendResponse
from protos.shopfront.v1.recommend_pb2_grpc import RecommendServiceStub
from shopfront.learner_beside import learner_beside
from shopfront.serve import seed_user_state, serving
from shopfront.settings import load_settings
from shopfront.workspace import PROJECT, Workspace
from snapshot.catalogue import Catalogue
from snapshot.dataset import DatasetStore
from snapshot.durable_files import write_durably

RESULT = PROJECT / "build" / "benchmarks" / "taste_flip.json"
ARMS = {"without": "home", "with": "home_live"}
CATEGORIES, LIKED, LEAST_ITEMS = 24, 8, 10
LIKED_CLICK, OTHER_CLICK = 0.35, 0.03
PAGE = 20
WINDOW_S = 10.0
RECOVERED = 0.9
UNLIMITED = 1_000_000_000
_CALL_S = 20.0


@dataclass
class Seen:
    """Impressions and clicks by arm and window; of all threads."""

    shown: dict[tuple[str, int], int] = field(default_factory=dict)
    clicked: dict[tuple[str, int], int] = field(default_factory=dict)
    failed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, arm: str, at_s: float, shown: int, clicked: int) -> None:
        """Counts one page; `at_s`: seconds from the flip."""
        key = arm, int(at_s // WINDOW_S)
        with self.lock:
            self.shown[key] = self.shown.get(key, 0) + shown
            self.clicked[key] = self.clicked.get(key, 0) + clicked

    def rate(self, arm: str, windows: Sequence[int]) -> float:
        """Clicks per impression in some windows; NaN where there were none."""
        shown = sum(self.shown.get((arm, window), 0) for window in windows)
        clicked = sum(self.clicked.get((arm, window), 0) for window in windows)
        return clicked / shown if shown else float("nan")


@dataclass(frozen=True)
class Shopper:
    """One simulated shopper."""

    user_id: str
    arm: str
    tastes: tuple[frozenset[int], frozenset[int]]
    """Codes of the categories liked before and after the flip."""
    dice: random.Random


class Shop:
    """Calls of the running service."""

    def __init__(self, address: str, catalogue: Catalogue) -> None:
        """Connects at the first call."""
        self._channel = grpc.insecure_channel(address)
        self._recommend = RecommendServiceStub(self._channel)
        self._events = EventServiceStub(self._channel)
        self._catalogue = catalogue

    def visit(self, shopper: Shopper, flipped: bool) -> tuple[int, int]:
        """Asks for a page, reports what is seen and clicked; returns how many of each."""
        request = RecommendRequest(scene=ARMS[shopper.arm], user_id=shopper.user_id, page_size=PAGE)
        page: RecommendResponse = self._recommend.Recommend(request, timeout=_CALL_S)
        ids = [item.item_id for item in page.items]
        liked = shopper.tastes[flipped]
        categories = self._catalogue.category[self._catalogue.dense(ids)].tolist()
        clicks = [
            item
            for item, category in zip(ids, categories, strict=True)
            if shopper.dice.random() < (LIKED_CLICK if category in liked else OTHER_CLICK)
        ]
        seen = [(item, event_pb2.EVENT_TYPE_IMPRESSION) for item in ids]
        events = [
            event_pb2.Event(
                user_id=shopper.user_id, item_id=item, type=kind, attribution_token=page.attribution_token
            )
            for item, kind in [*seen, *((item, event_pb2.EVENT_TYPE_VIEW) for item in clicks)]
        ]
        self._events.ReportEvents(event_pb2.ReportEventsRequest(events=events), timeout=_CALL_S)
        return len(ids), len(clicks)

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()


def main() -> None:
    """Measures, prints the table and writes the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workspace", type=Path, default=PROJECT / "build" / "sample")
    parser.add_argument("--before", type=float, default=90.0, help="seconds before the flip")
    parser.add_argument("--after", type=float, default=150.0, help="seconds after it")
    parser.add_argument("--shoppers", type=int, default=40, help="of each arm")
    parser.add_argument("--threads", type=int, default=4, help="visits at one time")
    parser.add_argument("--live", type=float, default=1.0, help="weight of live.lift")
    parser.add_argument("--online", type=float, default=1.0, help="weight of online.lift")
    parser.add_argument("--most", type=float, default=3.0, help="log-odds that either is cut to")
    parser.add_argument(
        "--half-life-hours", type=float, default=24.0, help="of what the online ranker learned"
    )
    parser.add_argument(
        "--robots", action="store_true", help="keep the limits of what one shopper counts within an hour"
    )
    parser.add_argument("--seed", type=int, default=1, help="of tastes and clicks")
    options = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="flip-", dir=PROJECT / "build") as folder:
        workspace = copy_of(Workspace(options.workspace), Path(folder) / "workspace")
        workspace.make()
        config = configuration(workspace, options)
        settings = load_settings(config, workspace)
        dataset = DatasetStore(workspace.datasets).open_current(verify=False)
        seed_user_state(workspace, dataset.manifest.id, settings.router, lambda done, of: None)
        shoppers = simulated(dataset.catalogue, options.shoppers, options.seed)
        arguments = ["--config", str(config), "--workspace", str(workspace.root)]
        with (
            serving(workspace, settings, console.print) as served,
            learner_beside(settings.router, arguments, workspace.logs, console.print),
        ):
            seen = visited(Shop(served.address, dataset.catalogue), shoppers, options)
    result = report(seen, options.before, options.after)
    console.print(table(seen, options.before, options.after))
    console.print_json(json.dumps(result))
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    write_durably(RESULT, json.dumps(result, indent=2).encode())


def configuration(workspace: Workspace, options: Any) -> Path:
    """Writes scenes with both arms, and the configuration that names them; returns the latter."""
    folder = workspace.root / "config"
    folder.mkdir()
    tree: Any = yaml.safe_load((PROJECT / "config" / "scenes.yaml").read_text())
    home = tree["scenes"]["home"]
    # A busy machine must not degrade pages.
    home["deadline"] = {"budget_ms": 5_000.0}
    for channel in home["channels"].values():
        channel["timeout_ms"] = 2_000.0
    home["ranking"]["timeout_ms"] = 2_000.0
    learned = {name: {"most": options.most} for name in ("live", "online")}
    ranking = {
        **home["ranking"],
        "scorers": {**home["ranking"]["scorers"], **learned},
        "merge": {"log_odds": {"added": {"live.lift": options.live, "online.lift": options.online}}},
    }
    tree["scenes"] = {ARMS["without"]: home, ARMS["with"]: {**home, "ranking": ranking}}
    (folder / "scenes.yaml").write_text(yaml.safe_dump(tree))
    # Simulated shoppers click at once.
    stream = {"label_wait_s": 3}
    if not options.robots:
        stream |= {"shopper_impressions": UNLIMITED, "shopper_events": UNLIMITED}
    router = {
        "scenes": str(folder / "scenes.yaml"),
        "experiments": None,
        "ingress": {"address": "127.0.0.1:0", "kind": "grpc"},
        "metrics": {"port": 0},
        "ranking": {"score_timeout_ms": 2_000.0, "interests_timeout_ms": 2_000.0},
        "learning": {"stream": stream, "ranker": {"half_life_hours": options.half_life_hours}},
    }
    path = folder / "shopfront.yaml"
    path.write_text(yaml.safe_dump({"router": router, "console": {"enabled": False}}))
    return path


def simulated(catalogue: Catalogue, each: int, seed: int) -> list[Shopper]:
    """`each` shoppers of either arm; those of one arm have the tastes of the other's."""
    draw = np.random.default_rng(seed)
    sold = np.bincount(catalogue.category, weights=np.expm1(catalogue.popularity))
    sold[0] = 0
    sold[np.bincount(catalogue.category, minlength=sold.size) < LEAST_ITEMS] = 0
    common = np.argsort(-sold)[:CATEGORIES]
    shoppers = []
    for number in range(each):
        drawn = draw.choice(common, 2 * LIKED, replace=False).tolist()
        tastes = frozenset(drawn[:LIKED]), frozenset(drawn[LIKED:])
        shoppers += [
            Shopper(f"flip-{arm}-{number}", arm, tastes, random.Random(f"{seed} {arm} {number}"))
            for arm in ARMS
        ]
    return shoppers


def visited(shop: Shop, shoppers: Sequence[Shopper], options: Any) -> Seen:
    """What came of the shoppers' visits, one after the other in each thread, until the time is over."""
    seen = Seen()
    flip = time.monotonic() + options.before

    def visit(number: int) -> None:
        own = shoppers[number :: options.threads]
        while True:
            for shopper in own:
                at_s = time.monotonic() - flip
                if at_s > options.after:
                    return
                try:
                    seen.add(shopper.arm, at_s, *shop.visit(shopper, at_s >= 0))
                except grpc.RpcError:
                    with seen.lock:
                        seen.failed += 1

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(options.threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shop.close()
    return seen


def report(seen: Seen, before_s: float, after_s: float) -> dict[str, Any]:
    """Click rates by arm, and the seconds until they are as they were."""
    before = range(-int(min(before_s, 30) // WINDOW_S), 0)
    windows = range(int(after_s // WINDOW_S))
    result: dict[str, Any] = {"failed_calls": seen.failed}
    for arm in ARMS:
        usual = seen.rate(arm, before)
        recovered = [window for window in windows if seen.rate(arm, [window]) >= RECOVERED * usual]
        result[arm] = {
            "ctr_before": usual,
            "ctr_first_30_s": seen.rate(arm, windows[:3]),
            "ctr_after": seen.rate(arm, windows),
            "recovered_after_s": (recovered[0] + 1) * WINDOW_S if recovered else None,
            "impressions": sum(count for (of, _), count in seen.shown.items() if of == arm),
        }
    return result


def table(seen: Seen, before_s: float, after_s: float) -> Table:
    """Click rates by window."""
    shown = Table("seconds from the flip", *(f"{name} the learner" for name in ARMS))
    for window in range(-int(before_s // WINDOW_S), int(after_s // WINDOW_S)):
        shown.add_row(f"{window * WINDOW_S:g}", *(f"{seen.rate(arm, [window]):.3f}" for arm in ARMS))
    return shown


if __name__ == "__main__":
    main()
