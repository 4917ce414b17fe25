"""Feedback over LMDB and Redis, without an ingress."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from learning.satisfaction.asking import is_sampled
from learning.satisfaction.check import TokenRefused
from learning.satisfaction.service import Feedback
from learning.satisfaction.settings import AskSettings, SatisfactionSettings
from protos.shopfront.v1 import feedback_pb2
from router.service.call import new_call
from snapshot.item_keys import item_keys
from state import StateSettings, open_state
from state.attribution import Attribution, AttributionCodec
from state.attribution_scope import item_filter, shopper_tag
from state.feedback_codes import ASKED, NOT_INTERESTED, RATED
from state.store import StateStore
from tests.recall.small_shop import make_catalogue

NOW = 1_800_000_000.0
DAY = 86_400
SECRETS = [b"a secret of 16 bytes and more"]
CALL = new_call(0.0)


def feedback(
    folder: Path,
    store: StateStore,
    now: float = NOW,
    rated: Callable[[Attribution, str, bool], None] = lambda token, user, satisfied: None,
    **ask: object,
) -> Feedback:
    folder.mkdir(exist_ok=True)
    catalogue = make_catalogue(folder, [1, 1, 2])
    return Feedback(
        SatisfactionSettings(ask=AskSettings.model_validate({"share": 1.0, **ask})),
        store,
        AttributionCodec(SECRETS),
        lambda: catalogue,
        ProcessMetrics(),
        rated,
        wall_clock=lambda: now,
    )


def rated(**fields: object) -> feedback_pb2.SendFeedbackRequest:
    rating = feedback_pb2.Rating(dimension=feedback_pb2.RATING_DIMENSION_PRICE, value=1)
    return feedback_pb2.SendFeedbackRequest(**({"user_id": "u", "ratings": [rating]} | fields))


async def test_of_calls_at_one_time_one_asks(tmp_path: Path, store: StateStore) -> None:
    said = feedback(tmp_path, store)
    request = feedback_pb2.ShouldAskRequest(user_id="u")
    answers = await asyncio.gather(*(said.should_ask(request, CALL) for _ in range(20)))
    assert sorted(answer.reason for answer in answers) == ["asked"] + ["lately"] * 19
    assert (await store.read("u")).surveys.events.tolist() == [ASKED]


async def test_a_shopper_is_asked_again_when_the_quiet_days_are_over(
    tmp_path: Path, store: StateStore
) -> None:
    request = feedback_pb2.ShouldAskRequest(user_id="u")
    reasons = []
    for days in (0, 1, 29.9, 30.1):
        said = feedback(tmp_path / str(days), store, NOW + days * DAY, quiet_days=30.0)
        reasons.append((await said.should_ask(request, CALL)).reason)
    assert reasons == ["asked", "lately", "lately", "asked"]


async def test_who_rated_unasked_is_left_alone(tmp_path: Path, store: StateStore) -> None:
    said = feedback(tmp_path, store)
    await said.send(rated(), CALL)
    assert (await said.should_ask(feedback_pb2.ShouldAskRequest(user_id="u"), CALL)).reason == "lately"


async def test_feedback_survives_the_store_and_a_repeat_adds_nothing(
    tmp_path: Path, settings: StateSettings
) -> None:
    item = feedback_pb2.ItemFeedback(item_id="i1", type=feedback_pb2.ITEM_FEEDBACK_TYPE_NOT_INTERESTED)
    request = rated(feedback_id="f", items=[item], comment="näh")
    for already in (False, True):
        store = open_state(settings)
        try:
            answer = await feedback(tmp_path / str(already), store).send(request, CALL)
            state = await store.read("u")
            logged = [event for _, event in store.read_log()]
        finally:
            store.close()
        assert answer.already_stored is already
        assert state.feedback.events.tolist() == [NOT_INTERESTED]
        assert state.surveys.events.tolist() == [RATED]
        assert [event.event for event in logged] == [RATED, NOT_INTERESTED]
        assert not state.behaviours.items.size


def token(secrets: list[bytes], *, age_s: int = 0, user: str = "u") -> str:
    return AttributionCodec(secrets).encode(
        Attribution(
            "r",
            "home",
            "s",
            "m",
            "1",
            {},
            int(NOW) - age_s,
            shopper_tag(user),
            item_filter(item_keys(["i1"])),
        )
    )


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (token([b"another secret of 16 bytes"]), "forged"),
        (token([]), "forged"),
        ("not base64!", "malformed"),
    ],
)
async def test_a_token_that_is_not_ours_is_refused_by_kind(
    tmp_path: Path, store: StateStore, sent: str, kind: str
) -> None:
    with pytest.raises(TokenRefused) as error:
        await feedback(tmp_path, store).send(rated(attribution_token=sent), CALL)
    assert error.value.kind == kind
    assert [violation.field for violation in error.value.violations] == ["attribution_token"]
    assert list(store.read_log()) == []


@pytest.mark.parametrize(
    ("sent", "credited"),
    [
        (token(SECRETS), True),
        (token(SECRETS, age_s=8 * DAY), False),
        (token(SECRETS, age_s=-DAY), False),
        (token(SECRETS, user="another"), False),
    ],
)
async def test_only_a_fresh_token_of_the_shopper_is_credited(
    tmp_path: Path, store: StateStore, sent: str, credited: bool
) -> None:
    answer = await feedback(tmp_path, store).send(rated(attribution_token=sent), CALL)
    assert answer.credited is credited
    ((_, event),) = store.read_log()
    assert bool(event.attribution_token) is credited


async def test_ratings_of_answers_are_handed_on_once(tmp_path: Path, store: StateStore) -> None:
    handed: list[tuple[str, str, bool]] = []
    said = feedback(tmp_path, store, rated=lambda of, user, good: handed.append((of.request_id, user, good)))
    price = feedback_pb2.Rating(dimension=feedback_pb2.RATING_DIMENSION_PRICE, value=3)
    variety = feedback_pb2.Rating(dimension=feedback_pb2.RATING_DIMENSION_VARIETY, value=5)
    for _ in range(2):
        await said.send(rated(feedback_id="f", attribution_token=token(SECRETS)), CALL)
    await said.send(rated(ratings=[price, variety], attribution_token=token(SECRETS)), CALL)
    await said.send(rated(ratings=[price], attribution_token=token(SECRETS)), CALL)
    # Of no answer, of no answer any more, and without a rating.
    await said.send(rated(), CALL)
    await said.send(rated(attribution_token=token(SECRETS, age_s=8 * DAY)), CALL)
    await said.send(rated(ratings=[], comment="so-so", attribution_token=token(SECRETS)), CALL)
    assert handed == [("r", "u", False), ("r", "u", True), ("r", "u", False)]


def test_the_share_of_shoppers_is_chosen_anew_each_day() -> None:
    settings = AskSettings(share=0.1)
    days = [
        np.array([is_sampled(settings, f"u{user}", NOW + day * DAY) for user in range(20_000)])
        for day in range(2)
    ]
    # Five standard deviations of a binomial of 20,000 draws.
    for chosen in days:
        assert abs(chosen.mean() - 0.1) < 5 * (0.09 / 20_000) ** 0.5
    assert abs((days[0] & days[1]).mean() - 0.01) < 5 * (0.0099 / 20_000) ** 0.5


async def test_replicas_together_ask_no_more_than_allowed_also_after_a_restart(
    tmp_path: Path, settings: StateSettings
) -> None:
    asked, first, second = [], open_state(settings), None
    try:
        replicas = [feedback(tmp_path / str(number), first, per_minute=4) for number in range(2)]
        for number in range(8):
            request = feedback_pb2.ShouldAskRequest(user_id=f"u{number}")
            asked.append((await replicas[number % 2].should_ask(request, CALL)).reason)
        first.close()
        second = open_state(settings)
        again = feedback(tmp_path / "again", second, per_minute=4)
        for user in ("u9", "u0"):
            asked.append((await again.should_ask(feedback_pb2.ShouldAskRequest(user_id=user), CALL)).reason)
    finally:
        first.close()
        if second is not None:
            second.close()
    assert asked == ["asked"] * 4 + ["rate"] * 4 + ["rate", "lately"]
