"""The rules of recommend.proto: what is coerced, what is refused, and that every fault is named at once."""

from collections.abc import Callable
from typing import Any

import pytest

from protos.shopfront.v1.recommend_pb2 import (
    Context,
    RecommendPageRequest,
    RecommendRequest,
    SceneRequest,
    SimilarItemsKind,
    SimilarItemsRequest,
)
from router.errors import CallerError
from router.scenes.settings import PageSettings, SceneSettings
from router.service.validation import check_page, check_recommend, check_similar_items

SCENES = {
    "home": SceneSettings(),
    "cart": SceneSettings(page=PageSettings(default_size=10, max_size=50)),
    "similar_items": SceneSettings(),
    "substitutes": SceneSettings(),
}
SIMILAR, COMPLEMENTARY = (
    SimilarItemsKind.SIMILAR_ITEMS_KIND_SIMILAR,
    SimilarItemsKind.SIMILAR_ITEMS_KIND_COMPLEMENTARY,
)


def fields_at_fault(check: Callable[..., Any], request: Any) -> list[str]:
    """Fields named by the CallerError that `check` raises."""
    with pytest.raises(CallerError) as error:
        check(request, SCENES)
    return [violation.field for violation in error.value.violations]


@pytest.mark.parametrize(
    ("scene", "asked", "given"),
    [
        ("home", 0, 20),
        ("home", 7, 7),
        ("home", 100, 100),
        ("home", 101, 100),
        ("cart", 0, 10),
        ("cart", 99, 50),
    ],
)
def test_page_size_is_defaulted_and_coerced(scene: str, asked: int, given: int) -> None:
    assert (
        check_recommend(RecommendRequest(scene=scene, page_size=asked), SCENES).scenes[0].page_size == given
    )


@pytest.mark.parametrize(("timeout_ms", "seconds"), [(0, None), (250, 0.25), (10_000, 10.0), (60_000, 10.0)])
def test_timeout_is_coerced(timeout_ms: int, seconds: float | None) -> None:
    assert check_recommend(RecommendRequest(scene="home", timeout_ms=timeout_ms), SCENES).timeout_s == seconds


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (RecommendRequest(), ["scene"]),
        (RecommendRequest(scene="nowhere"), ["scene"]),
        (RecommendRequest(scene="home", page_size=-1), ["page_size"]),
        (RecommendRequest(scene="home", timeout_ms=-1), ["timeout_ms"]),
        (RecommendRequest(scene="home", user_id="u" * 257), ["user_id"]),
        (RecommendRequest(scene="home", user_id="ü" * 129), ["user_id"]),
        (RecommendRequest(scene="home", context=Context(city="c" * 129)), ["context.city"]),
        (RecommendRequest(scene="home", excluded_item_ids=["i"] * 1_001), ["excluded_item_ids"]),
        (RecommendRequest(scene="home", cart_item_ids=["i"] * 201), ["cart_item_ids"]),
        (RecommendRequest(scene="home", cart_item_ids=[""] * 1_000), ["cart_item_ids"]),
        (
            RecommendRequest(scene="home", cart_item_ids=["i", "", "i" * 257]),
            ["cart_item_ids[1]", "cart_item_ids[2]"],
        ),
        (RecommendRequest(scene="home", cart_item_ids=["i", "j"], cart_quantities=[1]), ["cart_quantities"]),
        (RecommendRequest(scene="home", cart_quantities=[1]), ["cart_quantities"]),
        (
            RecommendRequest(scene="home", cart_item_ids=["i", "j"], cart_quantities=[1, -1]),
            ["cart_quantities"],
        ),
        (
            RecommendRequest(scene="home", cart_item_ids=["i"] * 201, cart_quantities=[-1] * 201),
            ["cart_item_ids"],
        ),
        (
            RecommendRequest(page_size=-1, timeout_ms=-5, user_id="u" * 300),
            ["scene", "page_size", "user_id", "timeout_ms"],
        ),
    ],
)
def test_recommend_refuses(request_: RecommendRequest, fields: list[str]) -> None:
    assert fields_at_fault(check_recommend, request_) == fields


def test_a_scene_that_is_not_served_is_told_why_and_which_are() -> None:
    with pytest.raises(CallerError, match=r"not configured, or it `needs` what .* scenes served are .*home"):
        check_recommend(RecommendRequest(scene="photo_search"), SCENES)


@pytest.mark.parametrize(
    "request_",
    [
        RecommendRequest(scene="home", user_id="u" * 256),
        RecommendRequest(scene="home", context=Context(city="ü" * 128, device="fridge")),
        RecommendRequest(scene="home", excluded_item_ids=["i"] * 1_000),
        RecommendRequest(scene="home", cart_item_ids=["i" * 256] * 200, cart_quantities=[2**31 - 1] * 200),
        RecommendRequest(scene="home", cart_item_ids=["i"], cart_quantities=[0]),
    ],
)
def test_recommend_accepts_what_is_just_within_limits(request_: RecommendRequest) -> None:
    assert check_recommend(request_, SCENES).user_id == request_.user_id


@pytest.mark.parametrize(
    ("scenes", "fields"),
    [
        ([], ["scenes"]),
        ([("home", 0), ("home", 5)], ["scenes[1].scene"]),
        ([("home", 0), ("nowhere", -2)], ["scenes[1].scene", "scenes[1].page_size"]),
        ([("", 0)], ["scenes[0].scene"]),
    ],
)
def test_page_refuses(scenes: list[tuple[str, int]], fields: list[str]) -> None:
    request = RecommendPageRequest(scenes=[SceneRequest(scene=s, page_size=n) for s, n in scenes])
    assert fields_at_fault(check_page, request) == fields


def test_the_cart_of_a_page_is_checked_as_that_of_a_scene() -> None:
    scenes = [SceneRequest(scene="home")]
    too_many = RecommendPageRequest(scenes=scenes, cart_item_ids=["i"] * 201)
    assert fields_at_fault(check_page, too_many) == ["cart_item_ids"]
    asked = check_page(RecommendPageRequest(scenes=scenes, cart_item_ids=["i"], cart_quantities=[2]), SCENES)
    assert (list(asked.cart_item_ids), list(asked.cart_quantities)) == (["i"], [2])


def test_page_of_eleven_scenes_is_refused() -> None:
    request = RecommendPageRequest(scenes=[SceneRequest(scene="home")] * 11)
    assert fields_at_fault(check_page, request)[0] == "scenes"


def test_similar_items_takes_its_own_scene_by_default() -> None:
    asked = check_similar_items(SimilarItemsRequest(item_id="i1"), SCENES)
    assert (asked.scenes[0].scene, asked.anchor_item_id) == ("similar_items", "i1")
    assert (
        check_similar_items(SimilarItemsRequest(item_id="i1", scene="cart"), SCENES).scenes[0].scene == "cart"
    )


def test_the_kind_chooses_the_scene() -> None:
    asked = check_similar_items(SimilarItemsRequest(item_id="i1", kind=SIMILAR), SCENES)
    assert asked.scenes[0].scene == "substitutes"


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (SimilarItemsRequest(), ["item_id"]),
        (SimilarItemsRequest(item_id="i" * 257), ["item_id"]),
        (SimilarItemsRequest(item_id="i", scene="nowhere"), ["scene"]),
        (SimilarItemsRequest(item_id="i", kind=COMPLEMENTARY), ["kind"]),
        (SimilarItemsRequest(item_id="i", kind=9), ["kind"]),
        (SimilarItemsRequest(item_id="i", kind=SIMILAR, scene="home"), ["kind"]),
    ],
)
def test_similar_items_refuses(request_: SimilarItemsRequest, fields: list[str]) -> None:
    assert fields_at_fault(check_similar_items, request_) == fields


def test_violations_do_not_repeat_what_was_sent() -> None:
    secret = "jane.doe@example.org" * 20
    with pytest.raises(CallerError) as error:
        check_recommend(RecommendRequest(scene=secret, user_id=secret), SCENES)
    assert "jane.doe" not in str(error.value)
