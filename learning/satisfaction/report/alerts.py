"""Whether satisfaction has dropped: the last days against those before, with false alarms controlled."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from foundation.statistics.proportions import drop_p
from learning.satisfaction.dimensions import DIMENSIONS, SATISFIED
from learning.satisfaction.report.ratings import OVERALL, Rated
from learning.satisfaction.settings import AlertSettings

_DAY_MS = 86_400_000


class Alert(msgspec.Struct, frozen=True):
    """A drop in one dimension: in one scene, or in all where `scene` is empty.

    `p_value` is that of no drop, and `level` what it is below: the level of a look divided by its
    comparisons.
    """

    dimension: str
    scene: str
    satisfied: int
    ratings: int
    satisfied_before: int
    ratings_before: int
    p_value: float
    level: float


class Look(msgspec.Struct, frozen=True):
    """One look at the last days: drops, the greatest evidence first, and how many comparisons were made."""

    alerts: list[Alert]
    comparisons: int


def look_for_drops(rated: Iterable[Rated], now_ms: int, settings: AlertSettings) -> Look:
    """Compares the share of satisfied shoppers, in each dimension, in all and in each scene.

    Of a shopper the latest rating of each period counts. Where nothing has changed, a look raises any alarm
    with a probability of at most `settings.level` (Fisher's exact test, Bonferroni's correction); as the
    test is conservative, with a smaller one. Looking more often is more looks.

    Args:
        rated: in any order.
        now_ms: unix milliseconds at which the last days end.
        settings: how long the periods are, and how much evidence an alarm needs.
    """
    recent_ms = now_ms - int(settings.days * _DAY_MS)
    before_ms = recent_ms - int(settings.days_before * _DAY_MS)
    latest: dict[tuple[str, str, bool, str], tuple[int, float]] = {}
    for each in rated:
        if not before_ms < each.at_ms <= now_ms:
            continue
        for dimension, value in each.values.items():
            for scene in {"", each.scene}:
                key = (dimension, scene, each.at_ms > recent_ms, each.user_id)
                if key not in latest or latest[key][0] <= each.at_ms:
                    latest[key] = (each.at_ms, value)
    counts: dict[tuple[str, str], list[list[int]]] = {}
    for (dimension, scene, recent, _), (_, value) in latest.items():
        period = counts.setdefault((dimension, scene), [[0, 0], [0, 0]])[recent]
        period[0] += value >= SATISFIED
        period[1] += 1
    compared = {
        key: (now, before)
        for key, (before, now) in counts.items()
        if min(now[1], before[1]) >= settings.least_ratings
    }
    level = settings.level / max(len(compared), 1)
    alerts = [
        Alert(dimension, scene, now[0], now[1], before[0], before[1], p, level)
        for (dimension, scene), (now, before) in compared.items()
        if (p := drop_p(now[0], now[1], before[0], before[1])) < level
    ]
    order = {name: position for position, name in enumerate((OVERALL, *DIMENSIONS.values()))}
    alerts.sort(key=lambda alert: (alert.p_value, order[alert.dimension], alert.scene))
    return Look(alerts, len(compared))
