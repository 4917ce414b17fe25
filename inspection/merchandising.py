"""Business rules as operators see and change them: the same file that `shopfront block` and `pin` change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import numpy as np
from pydantic import ValidationError

from environment.board import Board
from features.exposure_pace import due_exposures
from foundation.storage.errors import StorageError
from inspection.item_summaries import summaries
from protos.shopfront.v1.admin_pb2 import (
    AddRuleRequest,
    ExposurePlan,
    ExposureProgress,
    ListRulesRequest,
    ListRulesResponse,
    RemoveRuleRequest,
    Rule,
)
from router.engine.live import LiveEngine
from router.errors import CallerError, PreconditionError
from snapshot.catalogue import Catalogue
from state.merchandising.live_rules import LiveRules
from state.merchandising.plan_terms import PlanTerms
from state.merchandising.resolve import codes_of
from state.merchandising.rules import (
    ITEM,
    Action,
    BusinessRule,
    DamagedRulesError,
    RulesError,
    explain,
    groups_of_rules,
)
from state.merchandising.rules_file import BusinessRulesFile
from state.plan_counts.plan_count import PlanCount
from state.store import StateStore

MAX_LISTED = 1_000
_LISTED = 200
_MOST_TEXT = 300


class Merchandising:
    """Lists, adds and removes rules. Belongs to one event loop; files are read and written in threads."""

    def __init__(
        self,
        live: LiveEngine,
        rules: LiveRules,
        path: Path | None,
        changes: bool,
        store: StateStore,
        environment: Board,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Opens nothing.

        `path`: the file of rules, None = none; `changes`: whether they may be changed here; `store`: where
        exposures under plans are counted; `environment`: knows which alerts there are.
        """
        self._live = live
        self._rules = rules
        self._file = None if path is None else BusinessRulesFile(path, wall_clock)
        self._changes = changes
        self._store = store
        self._environment = environment
        self._wall_clock = wall_clock

    async def listed(self, request: ListRulesRequest) -> ListRulesResponse:
        """Rules, newest first. Raises `CallerError`, and `PreconditionError` where there is no file."""
        if not 0 <= request.limit <= MAX_LISTED:
            raise CallerError.of("limit", f"must be 1 to {MAX_LISTED}, or 0 for {_LISTED}")
        file, catalogue = self._opened(), self._live.current.catalogue
        try:
            found = await asyncio.to_thread(file.list_rules, request.scene, expired=request.expired)
        except RulesError as error:
            return ListRulesResponse(
                refused=str(error), groups=groups_of_rules(), alerts=self._environment.alert_names
            )
        except OSError as error:
            raise _unwritable(file, error) from error
        if request.item_id:
            found = tuple(_about(found, catalogue, request.item_id))
        newest = list(found[::-1][: request.limit or _LISTED])
        return ListRulesResponse(
            rules=await self._messages(newest, catalogue),
            total=len(found),
            refused=self._rules.refused or "",
            groups=groups_of_rules(),
            alerts=self._environment.alert_names,
        )

    async def add(self, request: AddRuleRequest) -> Rule:
        """Adds a rule; this replica follows it at once. Raises `CallerError`, `PreconditionError`."""
        file = self._changed()
        _require(request, "action", "value", "reason", "operator")
        if request.action not in ("block", "pin", "plan"):
            raise CallerError.of("action", "must be block, pin or plan")
        if request.HasField("plan") != (request.action == "plan"):
            raise CallerError.of("plan", "is required for a plan, and for nothing else")
        terms = _terms(request.plan) if request.HasField("plan") else None
        if request.scene and request.scene not in self._live.current.scenes:
            raise CallerError.of(
                "scene", f"must be one of {', '.join(self._live.current.scenes)}, or empty for every one"
            )
        never = self._environment.why_never(request.alert) if request.alert else ""
        if never:
            raise CallerError.of("alert", never)
        try:
            rule = await asyncio.to_thread(
                file.add,
                cast(Action, request.action),
                request.by or ITEM,
                request.value,
                operator=request.operator,
                reason=request.reason,
                scene=request.scene,
                position=request.position or None,
                expires_at=request.expires_at or None,
                alert=request.alert,
                plan=terms,
                catalogue=self._live.current.catalogue,
            )
        except DamagedRulesError as error:
            raise _damaged(error) from error
        except RulesError as error:
            raise CallerError.of("rule", str(error)) from error
        except OSError as error:
            raise _unwritable(file, error) from error
        return await self._followed(rule)

    async def remove(self, request: RemoveRuleRequest) -> Rule:
        """Ends a rule. Raises `CallerError`, also where there is no such rule, and `PreconditionError`."""
        file = self._changed()
        _require(request, "id", "reason", "operator")

        def removed() -> tuple[BusinessRule, ...]:
            known = {rule.id: rule.action for rule in file.read().rules}
            if request.id not in known:
                return ()
            return file.remove(
                known[request.id], id=request.id, operator=request.operator, reason=request.reason
            )

        try:
            found = await asyncio.to_thread(removed)
        except DamagedRulesError as error:
            raise _damaged(error) from error
        except RulesError as error:
            raise CallerError.of("rule", str(error)) from error
        except OSError as error:
            raise _unwritable(file, error) from error
        if not found:
            raise CallerError.of("id", "names no rule of the file; it may have been removed before")
        return await self._followed(found[0])

    async def _followed(self, rule: BusinessRule) -> Rule:
        catalogue = self._live.current.catalogue
        await self._rules.look(catalogue)
        (message,) = await self._messages([rule], catalogue)
        return message

    async def _messages(self, rules: list[BusinessRule], catalogue: Catalogue) -> list[Rule]:
        messages = _messages(rules, catalogue)
        for message in messages:
            message.alert_known = message.alert in self._environment.alert_names
        plans = {rule.id: rule.expires_at for rule in rules if rule.plan and rule.expires_at is not None}
        if not plans:
            return messages
        try:
            counts = await asyncio.to_thread(self._store.exchange_plan_counts, "", {}, plans)
        except StorageError:
            # The plans are shown without their progress, as the contract says.
            return messages
        now = int(self._wall_clock())
        for rule, message in zip(rules, messages, strict=True):
            if rule.id in counts:
                message.progress.CopyFrom(_progress(rule, counts, now))
        return messages

    def _opened(self) -> BusinessRulesFile:
        if self._file is None:
            raise PreconditionError(
                "RULES", "router.business_rules", "this router follows no file: router.business_rules is null"
            )
        return self._file

    def _changed(self) -> BusinessRulesFile:
        if not self._changes:
            raise PreconditionError(
                "CHANGES",
                "router.inspection.changes",
                "this router takes no changes: inspection.changes is false",
            )
        return self._opened()


def _require(request: AddRuleRequest | RemoveRuleRequest, *fields: str) -> None:
    for field in fields:
        if not 1 <= len(getattr(request, field).strip()) <= _MOST_TEXT:
            raise CallerError.of(field, f"must be 1 to {_MOST_TEXT} characters")


def _unwritable(file: BusinessRulesFile, error: OSError) -> PreconditionError:
    return PreconditionError(
        "RULES",
        "router.business_rules",
        f"{error.filename or file.path} cannot be used: {error.strerror or error}",
    )


def _damaged(error: DamagedRulesError) -> PreconditionError:
    return PreconditionError(
        "RULES", "router.business_rules", f"{error}; mend the file: until then the rules read before serve"
    )


def _about(rules: tuple[BusinessRule, ...], catalogue: Catalogue, item_id: str) -> list[BusinessRule]:
    """The rules that an item falls under, by its id or by one of its groups."""
    item = int(catalogue.dense([item_id])[0])
    groups = {rule.by for rule in rules} - {ITEM}
    names = {by: catalogue.names(by, catalogue.column(by)[[item]])[0] for by in groups} if item else {}
    return [rule for rule in rules if rule.value == (item_id if rule.by == ITEM else names.get(rule.by))]


def _messages(rules: list[BusinessRule], catalogue: Catalogue) -> list[Rule]:
    codes = codes_of(rules, catalogue)
    items = np.array(
        [code if rule.by == ITEM else 0 for rule, code in zip(rules, codes, strict=True)], np.int32
    )
    return [
        Rule(
            id=rule.id,
            action=rule.action,
            by=rule.by,
            value=rule.value,
            scene=rule.scene,
            position=rule.position or 0,
            reason=rule.reason,
            operator=rule.operator,
            created_at=rule.created_at,
            expires_at=rule.expires_at or 0,
            known=bool(code),
            item=item if rule.by == ITEM and code else None,
            plan=_plan_message(rule.plan),
            alert=rule.alert,
        )
        for rule, code, item in zip(rules, codes, summaries(catalogue, items), strict=True)
    ]


def _terms(plan: ExposurePlan) -> PlanTerms:
    """The terms of a request. Raises `CallerError` naming the field."""
    try:
        return PlanTerms(
            starts_at=plan.starts_at,
            guarantee=plan.guarantee,
            cap=plan.cap or None,
            slack=plan.slack or None,
            even=not plan.at_once,
        )
    except ValidationError as error:
        raise CallerError.of("plan", explain(error)) from error


def _plan_message(terms: PlanTerms | None) -> ExposurePlan | None:
    if terms is None:
        return None
    return ExposurePlan(
        starts_at=terms.starts_at,
        guarantee=terms.guarantee,
        cap=terms.cap or 0,
        slack=terms.slack_exposures,
        at_once=not terms.even,
    )


def _progress(rule: BusinessRule, counts: Mapping[str, PlanCount], now: int) -> ExposureProgress:
    count = counts[rule.id]
    terms = rule.plan
    due = 0
    if terms is not None and rule.expires_at is not None:
        due = due_exposures(terms.guarantee, terms.starts_at, rule.expires_at, terms.even, now)
    return ExposureProgress(shown=count.shown, lifted=count.lifted, lost=count.lost, due=due)
