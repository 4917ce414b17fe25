"""What benchmarks of the whole service serve: the project's own `home`, time limits lifted."""

from __future__ import annotations

from pathlib import Path

import yaml

from server.ingress_settings import IngressKind
from shopfront.settings import Settings

SCENE = "home"
CANDIDATES = 300
PATIENCE_MS = 10_000.0


def patient_settings(settings: Settings, scratch: Path, ingress: IngressKind) -> Settings:
    """The settings with every deadline of `home` lifted, so that all sides give whole answers or none.

    Else the scene is the one that `settings` serve: its channels, filters, scorers, merge and rerankers.
    Nothing is kept from one request of a shopper to the next: the same shoppers are asked again and again.
    The scenes are written to `scratch`; `ingress` listens on a port that is free.
    """
    scenes = yaml.safe_load(settings.router.scenes.read_text())
    scene = scenes["scenes"][SCENE]
    for channel in scene["channels"].values():
        channel["timeout_ms"] = PATIENCE_MS
    scene |= {"candidates": CANDIDATES, "deadline": {"budget_ms": PATIENCE_MS}}
    ranking = scene.setdefault("ranking", {})
    ranking["timeout_ms"] = PATIENCE_MS
    for scorer in ranking.get("scorers", {}).values():
        # Without one of its own, a scorer has that of the ranking.
        scorer.pop("timeout_ms", None)
    path = scratch / "scenes.yaml"
    path.write_text(yaml.safe_dump(scenes, sort_keys=False))
    router = settings.router
    return settings.model_copy(
        update={
            "router": router.model_copy(
                update={
                    "scenes": path,
                    "ingress": router.ingress.model_copy(update={"address": "127.0.0.1:0", "kind": ingress}),
                    "metrics": router.metrics.model_copy(update={"port": 0}),
                    "ranking": router.ranking.model_copy(
                        update={
                            "score_timeout_ms": PATIENCE_MS,
                            "interests_timeout_ms": PATIENCE_MS,
                            # Every request is the first since the shopper's last event.
                            "answers_kept": 0,
                        }
                    ),
                }
            )
        }
    )
