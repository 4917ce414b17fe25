"""The scene settings that suit a shop, as a patch of its scene file with the reason of each."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from features.shop_fit.auto import AUTO
from features.shop_fit.proposal import Proposal, propose
from recall.again import NAME as AGAIN
from router.scenes.fit_shop import again_channel
from router.scenes.load import Scenes
from snapshot.shop_facts import ShopFacts

_HEAD = (
    "# Proposed for {source}, as a JSON Merge Patch (RFC 7396) of the file. A setting that the file has as",
    "# auto becomes this by itself, whenever a snapshot is built; one that it names stays as it is.",
)


def scene_patch(facts: ShopFacts, scenes: Scenes) -> str:
    """YAML with comments; merged into the scene file, it names what `auto` means.

    Args:
        facts: of the shop.
        scenes: of the file; those that leave the share of `again` open have one in the patch.
    """
    lines = [line.format(source=scenes.source) for line in _HEAD]
    return "\n".join([*lines, *_lines(propose(facts), scenes), ""])


def print_patch(console: Console, facts: ShopFacts, scenes: Scenes) -> None:
    """Print the patch, its lines unbroken, so that it can be copied."""
    console.print(scene_patch(facts, scenes), markup=False, highlight=False, soft_wrap=True)


def _lines(proposal: Proposal, scenes: Scenes) -> Iterator[str]:
    yield "defaults:"
    yield "  filters:"
    yield "    purchase_cycle:"
    yield f"      # {proposal.cycles.reason}"
    yield f"      learned: {str(proposal.cycles.value).lower()}"
    yield f"      # {proposal.window_days.reason}"
    yield f"      window_days: {proposal.window_days.value}"
    yield "  rerank:"
    yield "    dedup:"
    yield f"      # {proposal.dedup.reason}"
    yield f"      enabled: {str(proposal.dedup.value).lower()}"
    yield "    scatter:"
    yield f"      # {proposal.scatter.reason}"
    rules = [
        f"{{by: {column}, window: {window}, max: {most}}}"
        for column, (window, most) in proposal.scatter.value.items()
    ]
    yield "      rules:" if rules else "      rules: []"
    yield from (f"        - {rule}" for rule in rules)
    recalling = [
        name
        for name, scene in scenes.by_name.items()
        if AGAIN in scene.channels and scene.channels[AGAIN].share == AUTO
    ]
    if recalling:
        yield "scenes:"
    for name in recalling:
        keys = again_channel(scenes[name], proposal.again.value)
        yield f"  {name}:"
        yield "    channels:"
        yield f"      # {proposal.again.reason}"
        yield f"      {AGAIN}: {{{', '.join(f'{key}: {str(value).lower()}' for key, value in keys.items())}}}"
