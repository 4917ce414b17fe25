import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from state.attribution import (
    MAX_TOKEN_BYTES,
    Attribution,
    AttributionCodec,
    AttributionError,
    AttributionSettings,
)

SECRET, OTHER = b"s" * 16, b"o" * 32
DAY = 86_400

names = st.text(st.characters(codec="utf-8"), max_size=12)
attributions = st.builds(
    Attribution,
    request_id=names,
    scene=names,
    snapshot_id=names,
    model_name=names,
    model_version=names,
    arms=st.dictionaries(names, names, max_size=2),
    issued_at=st.integers(0, 2**40),
)
codecs = st.sampled_from([AttributionCodec(), AttributionCodec([SECRET])])


def sample(**changes: object) -> Attribution:
    fields = {
        "request_id": "0f" * 16,
        "scene": "home_feed",
        "snapshot_id": "20240101T000000-1a2b3c4d",
        "model_name": "bst",
        "model_version": "3",
        "arms": {"ranking": "control", "fusion": "wide"},
        "issued_at": 1_700_000_000,
        **changes,
    }
    return Attribution(**fields)


@given(attributions, codecs)
def test_a_token_gives_back_what_it_was_made_of(attribution: Attribution, codec: AttributionCodec) -> None:
    token = codec.encode(attribution)
    assert codec.decode(token) == attribution
    assert len(token.encode()) <= MAX_TOKEN_BYTES
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(st.one_of(st.text(), st.text("AQC-_z09=", max_size=600)), codecs)
def test_any_other_text_is_refused_with_a_reason(text: str, codec: AttributionCodec) -> None:
    with pytest.raises(AttributionError, match=r"\w+"):
        codec.decode(text)


@given(attributions, codecs, st.data())
def test_any_changed_character_is_noticed(
    attribution: Attribution, codec: AttributionCodec, data: st.DataObject
) -> None:
    token = codec.encode(attribution)
    position = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.characters(codec="utf-8"))
    assume(character != token[position])
    with pytest.raises(AttributionError):
        codec.decode(token[:position] + character + token[position + 1 :])


def test_a_usual_token_is_short() -> None:
    assert len(AttributionCodec([SECRET]).encode(sample())) < 200


def test_a_token_of_another_secret_or_of_none_is_refused() -> None:
    signed = AttributionCodec([SECRET]).encode(sample())
    unsigned = AttributionCodec().encode(sample())
    with pytest.raises(AttributionError, match="signature does not match"):
        AttributionCodec([OTHER]).decode(signed)
    with pytest.raises(AttributionError, match="not a signed token"):
        AttributionCodec([SECRET]).decode(unsigned)
    with pytest.raises(AttributionError, match="format is not known"):
        AttributionCodec().decode(signed)


def test_a_secret_is_replaced_without_refusing_tokens_under_way() -> None:
    old = AttributionCodec([SECRET]).encode(sample())
    both = AttributionCodec([OTHER, SECRET])
    assert both.decode(old) == sample()
    assert AttributionCodec([OTHER]).decode(both.encode(sample())) == sample()


def test_secrets_come_from_the_environment() -> None:
    settings = AttributionSettings(secret_variable="TOKENS")
    codec = AttributionCodec.from_settings(settings, {"TOKENS": f" {OTHER.decode()} , {SECRET.decode()},"})
    assert codec.decode(AttributionCodec([SECRET]).encode(sample())) == sample()
    unsigned = AttributionCodec.from_settings(settings, {})
    assert unsigned.decode(AttributionCodec().encode(sample())) == sample()


@pytest.mark.parametrize("secret", [b"short", b"x" * 65])
def test_a_weak_or_overlong_secret_is_refused_without_being_shown(secret: bytes) -> None:
    with pytest.raises(ValueError, match=f"secret 2 has {len(secret)} bytes") as refused:
        AttributionCodec([SECRET, secret])
    assert secret.decode() not in str(refused.value)


def test_what_does_not_fit_is_refused_when_written() -> None:
    arms = {f"experiment-{n:02}": "treatment" * 3 for n in range(20)}
    with pytest.raises(AttributionError, match="20 experiments"):
        AttributionCodec().encode(sample(arms=arms))


def test_a_token_is_valid_for_seven_days() -> None:
    codec, issued = AttributionCodec(), sample().issued_at
    codec.check_age(sample(), issued + 7 * DAY)
    codec.check_age(sample(), issued - 300)
    with pytest.raises(AttributionError, match=r"8\.0 days ago; tokens are valid for 7 days"):
        codec.check_age(sample(), issued + 8 * DAY)
    with pytest.raises(AttributionError, match="301 s ahead"):
        codec.check_age(sample(), issued - 301)
