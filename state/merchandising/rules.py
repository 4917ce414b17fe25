"""A merchandiser's rules, validated: blocks, pins and exposure plans, with reason and expiry."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from snapshot.item_columns import ITEM_COLUMNS
from state.merchandising.plan_terms import PlanTerms

MAX_RULES = 10_000
MAX_PLANS = 200
MAX_FILE_BYTES = 8 << 20
ITEM = "item"

Action = Literal["block", "pin", "plan"]
Text = Annotated[str, Field(max_length=300)]


class RulesError(ValueError):
    """Rules, or a change of them, that cannot be taken; the message names the rule and what is wrong."""


class DamagedRulesError(RulesError):
    """The file itself cannot be read as rules, whatever was asked of it."""


def groups_of_rules() -> list[str]:
    """What a rule may be about: an item, or an item column of groups that is registered now."""
    return [ITEM, *(name for name, column in ITEM_COLUMNS.items() if column.kind == "group")]


def _what(by: str) -> str:
    groups = groups_of_rules()
    if by not in groups:
        raise ValueError(f"must be one of {', '.join(groups)}; got {by!r}")
    return by


class BusinessRule(BaseModel):
    """One rule. Times are unix seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    id: str = Field(min_length=1, max_length=64, description="Names the rule, in no two ways.")
    action: Action
    by: Annotated[str, AfterValidator(_what)] = Field(
        description="item, or an item column of groups: brand, category, …"
    )
    value: str = Field(min_length=1, max_length=300, description="The shop's own item id, or a group's name.")
    scene: Text = Field(default="", description="The scene it holds in; empty = in all.")
    position: int | None = Field(
        default=None, ge=1, le=100, description="Of a pin: the slot, the first is 1. Others have none."
    )
    alert: Text = Field(
        default="",
        description="It holds only in cities in which this alert (section environment) is in force; empty = "
        "always. A plan has none.",
    )
    plan: PlanTerms | None = Field(default=None, description="Of a plan: what it promises and limits.")
    reason: str = Field(min_length=1, max_length=300, description="Why, for who reads it later.")
    operator: str = Field(min_length=1, max_length=300, description="Who made it.")
    created_at: int = Field(ge=0)
    expires_at: int | None = Field(default=None, ge=0, description="It holds before this; null = for ever.")

    @model_validator(mode="after")
    def _a_pin_has_a_position(self) -> BusinessRule:
        if (self.position is not None) != (self.action == "pin"):
            raise ValueError(
                "a pin needs a position, and a block has none"
                if self.action != "plan"
                else "a plan has no position"
            )
        if self.action == "pin" and not self.scene:
            raise ValueError("a pin needs a scene: a slot is one of a scene")
        return self

    @model_validator(mode="after")
    def _a_plan_has_a_window(self) -> BusinessRule:
        if (self.plan is not None) != (self.action == "plan"):
            raise ValueError("a plan needs its terms (guarantee, cap), and blocks and pins have none")
        if self.plan is not None and self.alert:
            raise ValueError("alert: a plan holds whatever the weather is")
        if self.plan is not None and not self.plan.starts_at:
            raise ValueError("a plan needs a start: exposures are spread from starts_at on")
        if self.plan is not None and self.expires_at is None:
            raise ValueError("a plan needs an end: exposures are spread up to expires_at")
        if self.plan is not None and self.expires_at is not None and self.expires_at <= self.plan.starts_at:
            raise ValueError("expires_at: a plan must end after it starts")
        return self

    def holds(self, now: int) -> bool:
        """Whether it has not expired at unix second `now`."""
        return self.expires_at is None or now < self.expires_at

    def started(self, now: int) -> bool:
        """Whether it is in force from unix second `now` on, unless it has expired; a plan may start later."""
        return self.plan is None or now >= self.plan.starts_at


class BusinessRules(BaseModel):
    """The content of the file of rules."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    version: Literal[1] = 1
    rules: tuple[BusinessRule, ...] = Field(default=(), max_length=MAX_RULES)

    @model_validator(mode="after")
    def _no_id_twice(self) -> BusinessRules:
        ids = [rule.id for rule in self.rules]
        if len(set(ids)) < len(ids):
            twice = next(name for name in ids if ids.count(name) > 1)
            raise ValueError(f"two rules have the id {twice!r}")
        plans = sum(rule.action == "plan" for rule in self.rules)
        if plans > MAX_PLANS:
            raise ValueError(f"there are {plans:,} exposure plans, more than {MAX_PLANS}")
        return self

    def encode(self) -> bytes:
        """The file's bytes, one rule a line."""
        lines = ",\n".join("  " + _line(rule) for rule in self.rules)
        return f'{{"version": {self.version}, "rules": [\n{lines}\n]}}\n'.encode()

    @property
    def digest(self) -> str:
        """SHA-256 of the content."""
        return hashlib.sha256(self.encode()).hexdigest()


def _line(rule: BusinessRule) -> str:
    """One rule's JSON, without what it does not have, so that routers of earlier versions can read it."""
    absent = {name for name in ("plan", "alert") if not getattr(rule, name)}
    return rule.model_dump_json(exclude=absent or None)


NO_RULES = BusinessRules()


def decode_rules(content: bytes, source: str) -> BusinessRules:
    """The rules of a file's bytes.

    source: what to call the file in messages. Raises DamagedRulesError where the content is too large, no
    JSON or has a wrong rule; the message names the rule's place.
    """
    if len(content) > MAX_FILE_BYTES:
        raise DamagedRulesError(f"{source} has {len(content):,} bytes, more than {MAX_FILE_BYTES:,}")
    try:
        raw: Any = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DamagedRulesError(f"{source} is no JSON: {error}") from error
    count = len(raw["rules"]) if isinstance(raw, dict) and isinstance(raw.get("rules"), list) else 0
    if count > MAX_RULES:
        raise DamagedRulesError(f"{source} has {count:,} rules, more than {MAX_RULES:,}")
    try:
        return BusinessRules.model_validate_json(content)
    except ValidationError as error:
        raise DamagedRulesError(f"{source}: {explain(error)}") from error


def explain(error: ValidationError) -> str:
    """The first problem in one line, by its place."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    said = str(first["msg"]).removeprefix("Value error, ").replace("Input should be", "should be")
    return f"{place}: {said}" if place else said
