"""The file of a merchandiser's rules: every change is whole, validated and in an audit log."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from foundation.storage.appended_lines import append_lines
from snapshot.catalogue import Catalogue
from snapshot.durable_files import sync_folder, write_durably
from state.merchandising.contradictions import contradictions
from state.merchandising.plan_terms import PlanTerms
from state.merchandising.rules import (
    MAX_PLANS,
    MAX_RULES,
    NO_RULES,
    Action,
    BusinessRule,
    BusinessRules,
    RulesError,
    decode_rules,
    explain,
)

AUDIT_SUFFIX = ".audit.jsonl"

# The year 5138; the milliseconds of today are beyond it.
_NO_SECONDS = 10**11


class BusinessRulesFile:
    """Adds, removes and lists rules; several processes may change them at once.

    The audit log beside the file (`<file>.audit.jsonl`) has a line for every change, on disk before the
    change takes effect: at, operator, change (add or remove), note and the rule.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        """`path`: the file, made by the first change; `clock`: unix seconds."""
        self.path = path
        self._clock = clock

    @property
    def audit_path(self) -> Path:
        """The audit log."""
        return self.path.with_name(self.path.name + AUDIT_SUFFIX)

    def read(self) -> BusinessRules:
        """The rules, expired ones among them; none where there is no file. Raises RulesError, OSError."""
        try:
            return decode_rules(self.path.read_bytes(), str(self.path))
        except FileNotFoundError:
            return NO_RULES

    def list_rules(self, scene: str = "", *, expired: bool = False) -> tuple[BusinessRule, ...]:
        """The rules that hold now, oldest first.

        scene: those of this scene and of all scenes alone; empty = every rule. expired: those too that no
        longer hold. Raises RulesError, OSError as `read`.
        """
        now = int(self._clock())
        return tuple(
            rule
            for rule in self.read().rules
            if (expired or rule.holds(now)) and (not scene or rule.scene in ("", scene))
        )

    def add(
        self,
        action: Action,
        by: str,
        value: str,
        *,
        operator: str,
        reason: str,
        scene: str = "",
        position: int | None = None,
        expires_at: int | None = None,
        alert: str = "",
        plan: PlanTerms | None = None,
        catalogue: Catalogue | None = None,
    ) -> BusinessRule:
        """Adds a rule and returns it; rules that have expired are dropped from the file with it.

        A rule of the same action, by, value, scene and alert is replaced, and so is a pin to the same slot
        under the same alert. An item or group that the shop does not have is accepted: it takes effect when a
        snapshot has it. A plan that replaces another keeps its id, so that what was shown under it still
        counts.

        `plan`: terms of a plan; `catalogue`: which items are of which group, to tell plans that contradict
        each other; None = only those about the same are compared.

        Raises:
            RulesError: the rule is wrong, contradicts another, or there are too many; nothing is changed.
            OSError: the file or the audit log cannot be written.
        """
        with self._locked():
            now = int(self._clock())
            if expires_at is not None and expires_at <= now:
                raise RulesError("expires_at: the rule would have expired already")
            if expires_at is not None and expires_at >= _NO_SECONDS:
                raise RulesError(
                    f"expires_at: {expires_at} is no time in seconds since 1970-01-01 UTC; milliseconds are "
                    "divided by 1,000"
                )
            present = self.read().rules
            earlier = _same_plan(present, action, by, value, scene, now)
            if plan is not None and not plan.starts_at:
                starts_at = now if earlier is None or earlier.plan is None else earlier.plan.starts_at
                plan = plan.model_copy(update={"starts_at": starts_at})
            try:
                rule = BusinessRule(
                    id=secrets.token_hex(6) if earlier is None else earlier.id,
                    action=action,
                    by=by,
                    value=value,
                    scene=scene,
                    position=position,
                    reason=reason,
                    operator=operator,
                    created_at=now,
                    expires_at=expires_at,
                    alert=alert,
                    plan=plan,
                )
            except ValidationError as error:
                raise RulesError(explain(error)) from error
            kept = [each for each in present if each.holds(now) and not _replaced(each, rule)]
            if len(kept) >= MAX_RULES:
                raise RulesError(f"there are {len(kept):,} rules, and no more are taken; remove some")
            if rule.plan is not None:
                plans = [each for each in kept if each.plan is not None]
                if len(plans) >= MAX_PLANS:
                    raise RulesError(f"there are {len(plans)} plans, and no more are taken; remove some")
                if problems := contradictions(rule, plans, catalogue):
                    raise RulesError(problems[0])
            self._change("add", operator, reason, [rule], BusinessRules(rules=(*kept, rule)))
            return rule

    def remove(
        self,
        action: Action,
        by: str = "",
        value: str = "",
        *,
        operator: str,
        reason: str,
        scene: str | None = None,
        id: str = "",
    ) -> tuple[BusinessRule, ...]:
        """Removes rules and returns them; none match: nothing is changed.

        By `id`, or by `by` and `value`, in one scene or, where `scene` is None, in every one.
        Raises RulesError where neither is given, OSError as `add`.
        """
        if not id and not (by and value):
            raise RulesError("name the rule by its id, or by what it is about")
        with self._locked():
            present = self.read().rules
            removed = [
                rule
                for rule in present
                if rule.action == action
                and (rule.id == id if id else (rule.by, rule.value) == (by, value))
                and scene in (None, rule.scene)
            ]
            if removed:
                kept = tuple(rule for rule in present if rule not in removed)
                self._change("remove", operator, reason, removed, BusinessRules(rules=kept))
            return tuple(removed)

    def _change(
        self, change: str, operator: str, note: str, rules: list[BusinessRule], after: BusinessRules
    ) -> None:
        """The audit log first: an entry without its change misleads nobody, a change without one does."""
        at = int(self._clock())
        lines = [
            json.dumps(
                {"at": at, "operator": operator, "change": change, "note": note, "rule": rule.model_dump()},
                ensure_ascii=False,
            )
            for rule in rules
        ]
        append_lines(self.audit_path, lines)
        sync_folder(self.path.parent)
        write_durably(self.path, after.encode())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One change at a time, whichever process makes it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = self.path.with_name(f".{self.path.name}.lock")
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _same_plan(
    present: tuple[BusinessRule, ...], action: Action, by: str, value: str, scene: str, now: int
) -> BusinessRule | None:
    """The plan that a new one of these replaces; None where there is none."""
    wanted = ("plan", by, value, scene)
    same = (
        rule
        for rule in present
        if (rule.action, rule.by, rule.value, rule.scene) == wanted and rule.holds(now)
    )
    return next(same, None) if action == "plan" else None


def _replaced(present: BusinessRule, added: BusinessRule) -> bool:
    if (present.action, present.scene, present.alert) != (added.action, added.scene, added.alert):
        return False
    same = (present.by, present.value) == (added.by, added.value)
    return same or (added.position is not None and present.position == added.position)
