"""Photo search as callers have it: over gRPC, with the real encoder on a real Triton."""

from __future__ import annotations

import asyncio
import io

import grpc
import numpy as np
import pytest
from PIL import Image

from protos.shopfront.v1 import event_pb2, visual_pb2, visual_pb2_grpc
from protos.shopfront.v1.recommend_pb2 import CONTEXT_FIELD_CATEGORY, Context
from recall.found_boxes import overlaps
from server.ingress.client_channel import RouterAddress
from shopfront.picture_command import sample_picture, search_image
from testing.picture_shop import draw, jpeg
from testing.running_router import in_process
from testing.served_shop import SCENES, ServedShop
from testing.synthetic_shop import CATEGORIES
from tests.vision.conftest import ITEMS, PICTURED
from tests.vision.photos import PHOTO_SEARCH, Photos, in_stock, refused
from tests.vision.pictures import BAD, GOOD

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_photo_finds_its_item_and_the_twin(photos: Photos) -> None:
    for row in (0, 4, 8):
        page = photos.search(image=photos.picture(row), page_size=6).page
        expected = in_stock(photos, [f"i{row:04d}", f"i{row + 1:04d}"])
        assert [item.item_id for item in page.items[: len(expected)]] == expected
        scores = [item.score for item in page.items]
        assert scores == sorted(scores, reverse=True)
        if expected[:1] == [f"i{row:04d}"]:
            assert scores[0] > 0.99
        assert all(item.reasons[0].channel == "similar_look" for item in page.items)
        assert page.scene == "photo_search"
        assert page.attribution_token
        assert not page.degraded


def test_a_part_of_a_photo_is_searched_for_by_a_box(photos: Photos) -> None:
    wanted = next(row for row in (12, 14, 16, 18, 20, 22) if in_stock(photos, [f"i{row:04d}"]))
    item = Image.open(io.BytesIO(photos.picture(wanted)))
    street = Image.new("RGB", (400, 300), (90, 120, 90))
    street.paste(draw(1, 999).resize((200, 200)), (0, 0))
    street.paste(item, (250, 150))
    box = visual_pb2.Box(left=250 / 400, top=150 / 300, right=346 / 400, bottom=246 / 300)
    page = photos.search(image=jpeg(street, 95), box=box, page_size=4).page
    assert page.items[0].item_id in {f"i{wanted:04d}", f"i{wanted + 1:04d}"}
    assert page.items[0].score > 0.8


def scene_of(photos: Photos, row: int) -> tuple[bytes, np.ndarray]:
    """A photo of an item and of something else, and the boxes float32[2, 4] of the item and the other."""
    street = Image.new("RGB", (400, 300), (90, 120, 90))
    street.paste(draw(1, 999).resize((120, 120)), (20, 20))
    street.paste(Image.open(io.BytesIO(photos.picture(row))).resize((180, 180)), (200, 100))
    return jpeg(street, 95), np.array([[0.5, 1 / 3, 0.95, 0.933], [0.05, 1 / 15, 0.35, 0.467]], np.float32)


def edges_of(box: visual_pb2.Box) -> np.ndarray:
    return np.array([[box.left, box.top, box.right, box.bottom]], np.float32)


def test_objects_are_detected_with_the_search_and_alone(photos: Photos) -> None:
    photo, truth = scene_of(photos, 12)
    answer = photos.stub.DetectObjects(visual_pb2.DetectObjectsRequest(image=photo, limit=3), timeout=20)
    assert answer.learned
    assert not answer.degraded
    assert 1 <= len(answer.objects) <= 3
    confidences = [each.confidence for each in answer.objects]
    assert confidences == sorted(confidences, reverse=True)
    found = np.concatenate([edges_of(each.box) for each in answer.objects])
    # The whole photo would overlap the item by less than a third.
    assert overlaps(found, truth).max() > 0.4
    searched = photos.search(image=photo, page_size=2, with_trace=True)
    assert [each.box for each in searched.objects][: len(found)] == [each.box for each in answer.objects]
    assert not searched.HasField("searched")
    assert [stage.stage for stage in searched.page.trace.stages[:2]] == ["encode", "detect"]
    surest = photos.search(image=photo, page_size=2, surest_object=True)
    assert surest.searched == answer.objects[0].box
    tapped = photos.search(image=photo, page_size=2, tap=visual_pb2.Point(x=0.7, y=0.6))
    assert tapped.searched.left <= 0.7 <= tapped.searched.right
    assert tapped.searched.top <= 0.6 <= tapped.searched.bottom
    boxed = photos.search(image=photo, page_size=2, box=tapped.searched)
    assert [item.item_id for item in boxed.page.items] == [item.item_id for item in tapped.page.items]
    assert not boxed.objects
    sure = visual_pb2.DetectObjectsRequest(image=photo, least_confidence=1)
    assert not photos.stub.DetectObjects(sure, timeout=20).objects


@pytest.mark.parametrize(
    ("field", "request_"),
    [
        ("limit", visual_pb2.DetectObjectsRequest(image=GOOD["jpeg"], limit=-1)),
        ("least_confidence", visual_pb2.DetectObjectsRequest(image=GOOD["jpeg"], least_confidence=1.5)),
        ("image", visual_pb2.DetectObjectsRequest(image=b"no picture")),
        ("image", visual_pb2.DetectObjectsRequest()),
    ],
)
def test_what_is_wrong_with_a_detection_is_said(
    photos: Photos, field: str, request_: visual_pb2.DetectObjectsRequest
) -> None:
    with pytest.raises(grpc.RpcError) as error:
        photos.stub.DetectObjects(request_, timeout=20)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert list(refused(error.value)[1]) == [field]


@pytest.mark.parametrize("name", GOOD)
def test_every_usable_picture_gets_an_answer(photos: Photos, name: str) -> None:
    assert not photos.search(image=GOOD[name]).page.degraded


@pytest.mark.parametrize("name", BAD)
def test_every_unusable_picture_is_refused_with_its_reason(photos: Photos, name: str) -> None:
    reason, content = BAD[name]
    code, violations = photos.refusal(image=content)
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert violations["image"].startswith(f"{reason}: ")


def test_what_is_wrong_besides_the_picture_is_said(photos: Photos) -> None:
    good = GOOD["jpeg"]
    assert photos.refusal()[1] == {"image": "is required, or item_id"}
    assert "page_size" in photos.refusal(image=good, page_size=-1)[1]
    assert "scene" in photos.refusal(image=b"not even looked at", scene="nowhere")[1]
    for source in ({"image": good}, {"item_id": "i0004"}):
        code, violations = photos.refusal(scene="home", **source)
        assert code == grpc.StatusCode.INVALID_ARGUMENT
        assert violations["scene"].startswith("home has no channel similar_look")
    for edges in (
        (0.5, 0, 0.5, 1),
        (0, 0, 1.2, 1),
        (float("nan"), 0, 1, 1),
        (0.9, 0, 0.1, 1),
        (0, 0, 0.001, 1),
    ):
        box = visual_pb2.Box(**dict(zip(("left", "top", "right", "bottom"), edges, strict=True)))
        assert "box" in photos.refusal(image=good, box=box)[1]
    box, tap = visual_pb2.Box(right=1, bottom=1), visual_pb2.Point(x=0.5, y=0.5)
    assert "box" in photos.refusal(item_id="i0000", box=box)[1]
    assert "tap" in photos.refusal(item_id="i0000", tap=tap)[1]
    assert "tap" in photos.refusal(image=good, box=box, tap=tap)[1]
    assert "tap" in photos.refusal(image=good, tap=visual_pb2.Point(x=float("nan")))[1]
    assert "surest_object" in photos.refusal(image=good, tap=tap, surest_object=True)[1]
    code, _ = photos.refusal(image=bytes(3 * 2**20))
    assert code == grpc.StatusCode.INVALID_ARGUMENT


def test_an_item_is_searched_for_by_its_picture(photos: Photos) -> None:
    page = photos.search(item_id="i0004", page_size=5).page
    assert "i0004" not in [item.item_id for item in page.items]
    expected = in_stock(photos, ["i0005"])
    categories = {item.category for item in page.items}
    catalogue = photos.shop.dataset.catalogue
    own = catalogue.category[catalogue.dense(["i0004", "i0005"])]
    if expected and own[0] == own[1]:
        assert page.items[0].item_id == "i0005"
    assert len(categories) <= 1
    for unknown in ("no such item", f"i{PICTURED + 5:04d}"):
        page = photos.search(item_id=unknown).page
        assert list(page.items) == []
        assert list(page.degraded) == ["anchor_unknown"]


def test_a_must_is_searched_in_and_pages_follow(photos: Photos) -> None:
    category = CATEGORIES[2]
    context = Context(category=category, must=[CONTEXT_FIELD_CATEGORY])
    first = photos.search(image=photos.picture(0), context=context, page_size=2).page
    assert {item.category for item in first.items} == {category}
    second = photos.search(
        image=photos.picture(0), context=context, page_size=2, page_cursor=first.next_page_cursor
    ).page
    assert not {item.item_id for item in first.items} & {item.item_id for item in second.items}
    cursor = first.next_page_cursor
    for other in ({"image": photos.picture(20)}, {"image": photos.picture(0), "surest_object": True}):
        assert "another item or picture" in photos.refusal(page_cursor=cursor, **other)[1]["page_cursor"]
    excluded = photos.search(image=photos.picture(0), excluded_item_ids=[first.items[0].item_id]).page
    assert first.items[0].item_id not in [item.item_id for item in excluded.items]


def test_a_known_shoppers_taste_decides_among_what_looks_nearly_the_same(photos: Photos) -> None:
    anonymous = photos.search(image=photos.picture(0), page_size=20).page
    plain = {item.item_id: item.score for item in anonymous.items}
    assert list(plain.values()) == sorted(plain.values(), reverse=True)
    orders = set()
    for number in range(3):
        seen = [f"i{row:04d}" for row in range(number, ITEMS, 11)]
        events = [
            event_pb2.Event(
                user_id=f"looker{number}",
                item_id=id,
                type=event_pb2.EVENT_TYPE_VIEW,
                event_id=f"{number}{id}",
            )
            for id in seen
        ]
        answer = photos.events.ReportEvents(event_pb2.ReportEventsRequest(events=events), timeout=20)
        assert answer.accepted == len(events)
        page = photos.search(image=photos.picture(0), page_size=20, user_id=f"looker{number}").page
        assert not page.degraded
        scores = np.array([item.score for item in page.items])
        # Nothing stands before what is more alike by more than the margin, and scores stay cosines.
        assert (np.maximum.accumulate(scores[::-1])[::-1] - scores <= 0.3 + 1e-5).all()
        assert all(plain.get(item.item_id, item.score) == pytest.approx(item.score) for item in page.items)
        orders.add(tuple(item.item_id for item in page.items))
    assert orders != {tuple(plain)}


def test_a_trace_names_the_encoding(photos: Photos) -> None:
    page = photos.search(image=GOOD["png"], with_trace=True).page
    stages = [stage.stage for stage in page.trace.stages]
    assert stages[0] == "encode"
    assert "colours" in stages
    assert "channel:similar_look" in stages
    assert page.trace.stages[0].elapsed_ms > 0


def test_the_category_of_a_photo_is_predicted(photos: Photos) -> None:
    catalogue = photos.shop.dataset.catalogue
    rows = [row for row in range(20, PICTURED - 5) if in_stock(photos, [f"i{row:04d}"])][:8]
    right = 0
    for row in rows:
        answer = photos.stub.PredictCategory(
            visual_pb2.PredictCategoryRequest(image=photos.picture(row), limit=3), timeout=20
        )
        shares = [each.share for each in answer.categories]
        assert shares == sorted(shares, reverse=True)
        assert len(shares) <= 3
        assert sum(shares) <= 1.0001
        assert answer.likeness > 0.99
        (code,) = catalogue.category[catalogue.dense([f"i{row:04d}"])]
        right += answer.categories[0].category == catalogue.category_names(np.array([code]))[0]
    assert right >= len(rows) // 2
    with pytest.raises(grpc.RpcError) as error:
        photos.stub.PredictCategory(visual_pb2.PredictCategoryRequest(), timeout=20)
    assert refused(error.value)[1]["image"].startswith("empty: ")


def test_many_photos_at_once_are_all_answered_or_told_to_wait(photos: Photos) -> None:
    calls = [
        photos.stub.SearchByImage.future(
            visual_pb2.SearchByImageRequest(image=photos.picture(row)), timeout=60
        )
        for row in range(16)
    ]
    codes = [call.code() for call in calls]
    assert set(codes) <= {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert codes.count(grpc.StatusCode.OK) >= 4


def test_the_command_asks_by_file_and_the_sample_is_a_real_picture(photos: Photos) -> None:
    sample = sample_picture(photos.shop.workspace, photos.shop.data)
    assert sample is not None
    title, content = sample
    router = RouterAddress(photos.ingress.address)
    page = search_image(router, content, "", page_size=3).page
    assert title in [item.title for item in page.items]


def test_without_triton_the_answer_is_degraded_and_with_it_whole_again(photos: Photos) -> None:
    photos.triton.kill()
    photos.triton.stop()
    try:
        answer = photos.search(image=GOOD["jpeg"])
        assert list(answer.page.degraded) == ["picture_encoder"]
        assert list(answer.page.items) == []
        predicted = photos.stub.PredictCategory(
            visual_pb2.PredictCategoryRequest(image=GOOD["jpeg"]), timeout=20
        )
        assert list(predicted.degraded) == ["picture_encoder"]
        photo, truth = scene_of(photos, 12)
        detected = photos.stub.DetectObjects(visual_pb2.DetectObjectsRequest(image=photo), timeout=20)
        assert (list(detected.degraded), detected.learned) == (["picture_encoder"], False)
        # What stands out of a plain ground is found without the encoder.
        assert overlaps(edges_of(detected.objects[0].box), truth).max() > 0.8
        assert photos.search(item_id="i0004").page.items
    finally:
        photos.triton.start()
    for _ in range(100):
        answer = photos.search(image=GOOD["jpeg"])
        if not answer.page.degraded:
            break
        asyncio.run(asyncio.sleep(0.1))
    assert answer.page.items


def test_a_shop_without_pictures_says_so(photos: Photos, tmp_path_factory: pytest.TempPathFactory) -> None:
    served = ServedShop(tmp_path_factory.mktemp("bare"), photos.shop.dataset)
    served.scenes.write_text(SCENES + PHOTO_SEARCH)
    served.publish()
    with in_process(served.settings(photos.triton.grpc_url)) as ingress:
        stub = visual_pb2_grpc.VisualServiceStub(ingress.channel)
        with pytest.raises(grpc.RpcError) as error:
            stub.SearchByImage(visual_pb2.SearchByImageRequest(image=GOOD["jpeg"]), timeout=20)
        assert error.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        assert "no pictures" in error.value.details()
        assert ingress.running is not None
        assert "photo_search" not in ingress.running.service.scenes
