"""Page cursors: what they hold survives; anything else is refused by name and never crashes."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot import Catalogue, write_catalogue
from snapshot.item_keys import item_keys
from state.attribution import Attribution, AttributionCodec
from state.errors import CursorError
from state.page_cursor import (
    MAX_CURSOR_BYTES,
    MOST_SHOWN,
    PageCursor,
    PageCursorCodec,
    first_page,
)
from state.token_seal import TokenSeal
from tests.snapshot.contents import columns as empty_columns

NOW = 1_700_000_000
SECRET = b"a secret of 16 B"
FIRST = first_page("home", "900", "", NOW)
SIGNED = PageCursorCodec(TokenSeal([SECRET]))
CHECKED = PageCursorCodec(TokenSeal())


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder = tmp_path_factory.mktemp("shop")
    write_catalogue(folder / "catalogue", [f"i{at}" for at in range(1, 501)], empty_columns(500), {}, {})
    return Catalogue.open(folder / "catalogue")


def after(codec: PageCursorCodec, ids: list[str], first: PageCursor = FIRST) -> str:
    return codec.encode(first.followed_by(item_keys(ids), NOW))


@pytest.mark.parametrize("codec", [SIGNED, CHECKED])
@given(shown=st.lists(st.integers(1, 700), max_size=MOST_SHOWN, unique=True), cut=st.integers(0, MOST_SHOWN))
def test_the_items_shown_come_back_and_those_the_catalogue_lacks_are_kept(
    catalogue: Catalogue, codec: PageCursorCodec, shown: list[int], cut: int
) -> None:
    text = after(codec, [f"i{at}" for at in shown[:cut]])
    cursor = codec.decode(text, FIRST).followed_by(item_keys([f"i{at}" for at in shown[cut:]]), NOW)
    text = codec.encode(cursor)
    cursor = codec.decode(text, FIRST)
    assert len(text) <= MAX_CURSOR_BYTES
    assert cursor.count == len(shown)
    found = cursor.items(catalogue)
    assert found.dtype == np.int32
    assert sorted(catalogue.item_ids(found)) == sorted(f"i{at}" for at in shown if at <= 500)


@pytest.mark.parametrize(
    ("first", "why"),
    [
        (first_page("cart", "900", "", NOW), "scene"),
        (first_page("home", "901", "", NOW), "shopper"),
        (first_page("home", "", "", NOW), "shopper"),
        (first_page("home", "900", "1", NOW), "item"),
        (first_page("home", "900", "", NOW + 86_401), "expired"),
        (first_page("home", "900", "", NOW - 301), "301 s ahead of this router's clock"),
    ],
)
def test_a_foreign_or_old_cursor_is_refused(first: PageCursor, why: str) -> None:
    with pytest.raises(CursorError, match=why):
        SIGNED.decode(after(SIGNED, ["a"]), first)


def test_a_forged_cursor_is_refused() -> None:
    for forged in (
        after(CHECKED, ["a"]),
        after(PageCursorCodec(TokenSeal([b"another secret 16"])), ["a"]),
        TokenSeal([SECRET]).seal(msgspec.msgpack.encode(FIRST)),
    ):
        with pytest.raises(CursorError):
            SIGNED.decode(forged, FIRST)


@pytest.mark.parametrize("codec", [SIGNED, CHECKED])
def test_an_attribution_token_is_no_cursor(codec: PageCursorCodec) -> None:
    secrets = [SECRET] if codec is SIGNED else []
    token = AttributionCodec(secrets).encode(Attribution("r", "home", "s", "m", "1", {}, NOW))
    with pytest.raises(CursorError):
        codec.decode(token, FIRST)


@pytest.mark.parametrize("codec", [SIGNED, CHECKED])
@given(st.one_of(st.text(max_size=200), st.binary(max_size=200).map(lambda raw: raw.decode("latin-1"))))
def test_any_text_is_refused_and_nothing_else_happens(codec: PageCursorCodec, text: str) -> None:
    with pytest.raises(CursorError):
        codec.decode(text, FIRST)


@given(st.binary(max_size=200), st.data())
def test_any_body_under_a_right_checksum_is_a_cursor_or_refused(
    catalogue: Catalogue, body: bytes, data: st.DataObject
) -> None:
    fields = data.draw(
        st.one_of(
            st.just(body),
            st.tuples(
                st.just("home"), st.just(FIRST.shopper), st.just(b""), st.integers(), st.binary(max_size=40)
            ).map(lambda each: msgspec.msgpack.encode(each) if abs(each[3]) < 2**63 else b""),
        )
    )
    sealed = TokenSeal().for_purpose(b"page cursor").seal(fields)
    try:
        cursor = CHECKED.decode(sealed, FIRST)
    except CursorError:
        return
    assert cursor.items(catalogue).size <= cursor.count


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_cursor_changed_anywhere_is_refused(place: int, by: int) -> None:
    text = bytearray(after(SIGNED, ["a", "b", "c"]).encode())
    text[place % len(text)] ^= by
    with pytest.raises(CursorError):
        SIGNED.decode(text.decode("latin-1"), FIRST)


def test_a_longer_cursor_than_any_is_refused_unread() -> None:
    with pytest.raises(CursorError, match="8192"):
        SIGNED.decode("A" * 10_000_000, FIRST)
