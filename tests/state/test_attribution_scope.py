"""What a token knows of its shopper and its items."""

from hypothesis import given
from hypothesis import strategies as st

from snapshot.item_keys import item_keys
from state.attribution import MAX_TOKEN_BYTES, Attribution, AttributionCodec
from state.attribution_scope import filter_has, item_filter, shopper_tag


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=120))
def test_every_item_of_the_answer_is_in_the_filter(item_ids: list[str]) -> None:
    items = item_filter(item_keys(item_ids))
    assert all(filter_has(items, item_id) for item_id in item_ids)


def test_few_others_are() -> None:
    for count in (1, 20, 100):
        items = item_filter(item_keys(f"item-{n}" for n in range(count)))
        assert len(items) <= 2 + 10 * count // 8
        assert sum(filter_has(items, f"other-{n}") for n in range(2_000)) < 60


def test_a_shoppers_tag_is_of_one_length_and_tells_shoppers_apart() -> None:
    assert shopper_tag("") == b""
    assert len({shopper_tag(f"u{n}") for n in range(1_000)}) == 1_000
    assert len(shopper_tag("u" * 256)) == 8


def _attribution(arms: dict[str, str]) -> Attribution:
    items = item_filter(item_keys(f"item-{n}" for n in range(100)))
    return Attribution("f" * 32, "home", "s" * 24, "bst", "12", arms, 1_700_000_000, shopper_tag("u"), items)


def test_a_page_of_a_hundred_items_fits() -> None:
    attribution = _attribution({"experiment": "control"})
    codec = AttributionCodec([b"s" * 16])
    assert codec.decode(codec.encode(attribution)) == attribution


def test_where_arms_leave_no_room_items_are_left_out() -> None:
    attribution = _attribution({f"experiment-{n}": "candidate" for n in range(8)})
    codec = AttributionCodec([b"s" * 16])
    token = codec.encode(attribution)
    assert len(token) <= MAX_TOKEN_BYTES
    read = codec.decode(token)
    assert (read.items, read.shopper, read.arms) == (b"", attribution.shopper, attribution.arms)
    assert read.outside("u", "anything") == ""
    assert read.outside("v", "item-1") == "shopper"


def test_tokens_issued_before_they_had_a_scope_credit_everybody() -> None:
    before = Attribution("r", "home", "s", "bst", "1", {}, 0)
    assert before.outside("anybody", "anything") == ""
