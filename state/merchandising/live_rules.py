"""The rules that serve: the file's last good content, and what it means for each scene."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

from features.scene_rules import NO_SCENE_RULES, SceneRules
from snapshot.catalogue import Catalogue
from state.merchandising.resolve import resolve, unknown_rules
from state.merchandising.rules import MAX_FILE_BYTES, NO_RULES, BusinessRules, RulesError, decode_rules
from state.plan_counts.plan_count import PlanWindow

log = logging.getLogger(__name__)

_MOST_RESOLVED = 64
_SHOWN = 10


_Resolved = tuple[Catalogue, BusinessRules, int | None, SceneRules]
"""What was resolved, of which rules, and the unix second up to which it holds."""


class LiveRules:
    """Reads the file whenever its content changes; a wrong content is refused and the one before serves."""

    def __init__(self, path: Path | None) -> None:
        """`path`: the file, which may be absent; None = no rules. Nothing is read yet."""
        self._path = path
        self._content = NO_RULES.encode()
        self._resolved: OrderedDict[tuple[str, tuple[str, ...]], _Resolved] = OrderedDict()
        self._alerts: frozenset[str] = frozenset()
        self.rules = NO_RULES
        self.refused: str | None = None
        """Why the file's present content does not serve; None where it does."""

    def of(self, catalogue: Catalogue, scene: str, now: int, alerts: Iterable[str] = ()) -> SceneRules:
        """The scene's rules that hold at unix second `now`; kept until a rule expires or the file changes.

        alerts: those in force in the shopper's city.
        """
        if not self.rules.rules:
            return NO_SCENE_RULES
        on = tuple(sorted(self._alerts.intersection(alerts))) if self._alerts else ()
        known = self._resolved.get((scene, on))
        if (
            known is not None
            and known[0] is catalogue
            and known[1] is self.rules
            and (known[2] is None or now < known[2])
        ):
            return known[3]
        holding = [
            rule
            for rule in self.rules.rules
            if rule.holds(now) and rule.started(now) and (not rule.alert or rule.alert in on)
        ]
        ends = [rule.expires_at for rule in holding if rule.expires_at is not None]
        starts = [rule.plan.starts_at for rule in self.rules.rules if rule.plan and not rule.started(now)]
        until = min((*ends, *starts), default=None)
        resolved = resolve(holding, catalogue, scene)
        self._resolved[scene, on] = (catalogue, self.rules, until, resolved)
        if len(self._resolved) > _MOST_RESOLVED:
            self._resolved.popitem(last=False)
        return resolved

    def plans(self, now: int) -> dict[str, PlanWindow]:
        """The exposure plans that have not ended at unix second `now`, by id; later ones among them."""
        return {
            rule.id: PlanWindow(rule.expires_at, rule.plan.slack_exposures)
            for rule in self.rules.rules
            if rule.plan is not None and rule.expires_at is not None and rule.holds(now)
        }

    def content(self) -> bytes | str:
        """The file's bytes, those of no rules where it is absent; a text with the reason where unreadable."""
        if self._path is None:
            return NO_RULES.encode()
        try:
            with self._path.open("rb") as file:
                return file.read(MAX_FILE_BYTES + 1)
        except FileNotFoundError:
            return NO_RULES.encode()
        except OSError as error:
            return f"{self._path} cannot be read: {error.strerror or error}"

    def consider(self, content: bytes | str, catalogue: Catalogue | None = None) -> None:
        """Takes up what a look at the file has found; unknown ids of `catalogue` are logged and accepted."""
        if isinstance(content, str):
            self._refuse(content)
            return
        if content == self._content and self.refused is None:
            return
        self._content = content
        try:
            rules = decode_rules(content, str(self._path))
        except RulesError as error:
            self._refuse(str(error))
            return
        self.rules, self.refused = rules, None
        self._alerts = frozenset(rule.alert for rule in rules.rules if rule.alert)
        log.info("%d business rules of %s serve (%s)", len(rules.rules), self._path, rules.digest[:12])
        if catalogue is not None and (unknown := unknown_rules(rules.rules, catalogue)):
            named = ", ".join(f"{rule.by} {rule.value!r}" for rule in unknown[:_SHOWN])
            log.warning(
                "%d business rules are about what the snapshot does not have, and wait for it: %s%s",
                len(unknown),
                named,
                ", …" if len(unknown) > _SHOWN else "",
            )

    async def look(self, catalogue: Catalogue) -> None:
        """Looks at the file once; it is read on another thread."""
        self.consider(await asyncio.to_thread(self.content), catalogue)

    def _refuse(self, reason: str) -> None:
        if reason != self.refused:
            log.error("%s; the business rules read before keep serving", reason)
        self.refused = reason
