from protos.shopfront.v1 import event_pb2
from snapshot.event_codes import EVENT_CODES


def test_codes_are_those_of_the_contract() -> None:
    contract = {
        name.removeprefix("EVENT_TYPE_").lower(): code for name, code in event_pb2.EventType.items() if code
    }
    assert contract == EVENT_CODES
