from protos.shopfront.v1 import event_pb2
from snapshot.event_codes import EVENT_CODES, HISTORY_CODES


def test_codes_are_those_of_the_contract() -> None:
    contract = {
        name.removeprefix("EVENT_TYPE_").lower(): code for name, code in event_pb2.EventType.items() if code
    }
    assert contract == EVENT_CODES


def test_models_of_before_know_the_kinds_of_histories() -> None:
    """Networks embed these codes, so their number is a part of every checkpoint."""
    assert list(HISTORY_CODES.values()) == [1, 2, 3, 4, 5]
    assert set(EVENT_CODES) - set(HISTORY_CODES) == {"remove_from_cart"}
