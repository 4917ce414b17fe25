import random
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.errors import LoadTestError
from loadtest.templates import CallContext, CallNames, Template

NAMES = CallNames("greet.Greeter.Greet", "Greet", "Greeter", "Request", "Answer", False, True)


def context(number: int = 200, seed: int = 1) -> CallContext:
    return CallContext(NAMES, number, "g1c0", 1_544_890_251_123_456_789, random.Random(seed))


def test_every_field_is_filled_in() -> None:
    text = (
        "{{.WorkerID}} {{.RequestNumber}} {{ .FullyQualifiedName }} {{.MethodName}} {{.ServiceName}} "
        "{{.InputName}} {{.OutputName}} {{.IsClientStreaming}} {{.IsServerStreaming}} "
        "{{.Timestamp}} {{.TimestampUnix}} {{.TimestampUnixMilli}} {{- .TimestampUnixNano -}}"
    )
    assert Template(text).render(context()) == (
        "g1c0 200 greet.Greeter.Greet Greet Greeter Request Answer false true 2018-12-15T16:10:51Z "
        "1544890251 1544890251123 1544890251123456789"
    )


def test_functions_give_uuids_letters_and_numbers() -> None:
    one, two = (Template("{{newUUID}}").render(context(seed=seed)) for seed in (1, 2))
    assert uuid.UUID(one).version == 4
    assert one != two
    assert len(Template("{{randomString 10}}").render(context())) == 10
    assert 2 <= len(Template("{{randomString -1}}").render(context())) <= 16
    assert 5 <= int(Template("{{randomInt 5 8}}").render(context())) < 8
    assert Template("{{.UUID}}").render(context()) == one


def test_a_seed_repeats_what_is_random() -> None:
    assert Template("{{randomString 8}}").render(context()) == Template("{{randomString 8}}").render(
        context()
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{.Something}}", r"\{\{.Something\}\} is no field; there are .WorkerID"),
        (
            "{{getSKU}}",
            "uses 'getSKU', which is no function here; there are newUUID, randomInt, randomString",
        ),
        ("{{randomString}}", "randomString takes 1 arguments"),
        ("{{randomString ten}}", "ten in .* is not a whole number"),
        ("{{.RequestNumber | printf}}", "pipelines are not supported"),
        ("{{if .UUID}}x{{end}}", "uses 'if'"),
        ("{{}}", "is empty"),
        ("{{.UUID", "has no closing"),
        ("{{randomString 99999999}}", "asks for more than"),
    ],
)
def test_what_is_not_known_is_refused_when_it_is_read(text: str, message: str) -> None:
    with pytest.raises(LoadTestError, match=message):
        Template(text)


def test_functions_or_all_actions_can_be_switched_off() -> None:
    with pytest.raises(LoadTestError, match="--disable-template-functions"):
        Template("{{newUUID}}", functions=False)
    assert Template("{{.RequestNumber}}", functions=False).render(context()) == "200"
    untouched = Template("{{anything at all", actions=False)
    assert not untouched.has_actions
    assert untouched.render(context()) == "{{anything at all"


@given(st.text().filter(lambda text: "{{" not in text))
def test_text_without_actions_is_left_as_it_is(text: str) -> None:
    template = Template(text)
    assert template.render(context()) == text
    assert not template.has_actions
