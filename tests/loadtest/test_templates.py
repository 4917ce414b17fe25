import random
import uuid
from contextlib import suppress

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
    ("text", "rendered"),
    [
        ("{{mod .RequestNumber 7}}", "4"),
        ("{{add1 .RequestNumber}}", "201"),
        ("{{add 1 (mul 2 3) 4}}", "11"),
        ("{{div -7 2}} {{mod -7 2}}", "-3 -1"),
        ("{{max 1 5 3}} {{min 4 2}} {{sub 5 8}}", "5 2 -3"),
        ('{{printf "user-%05d" .RequestNumber}}', "user-00200"),
        ('{{printf \\"%s/%v\\" .MethodName .IsServerStreaming}}', "Greet/true"),
        ("{{printf `%x` (mod .RequestNumber 16)}}", "8"),
        ("{{.MethodName | upper}}", "GREET"),
        ('{{.MethodName | lower | printf "%s-%s" "a"}}', "a-greet"),
        ('{{replace "e" "3" .MethodName}} {{repeat 3 "ab"}} {{trim "  x "}}', "Gr33t ababab x"),
        ("{{b64enc .MethodName}}", "R3JlZXQ="),
        ("{{sha256sum `abc` }}", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("{{print 1 `b` .IsClientStreaming}}", "1bfalse"),
    ],
)
def test_functions_of_sprig_and_go_give_what_theirs_give(text: str, rendered: str) -> None:
    assert Template(text).render(context()) == rendered


def test_random_functions_of_sprig_have_their_alphabets() -> None:
    render = Template("{{randAlpha 40}} {{randNumeric 40}} {{randAlphaNum 40}} {{randInt 3 5}}").render
    letters, digits, both, number = render(context()).split()
    assert letters.isalpha()
    assert digits.isdigit()
    assert both.isalnum()
    assert [len(letters), len(digits), len(both)] == [40] * 3
    assert 3 <= int(number) < 5
    assert uuid.UUID(Template("{{uuidv4}}").render(context())).version == 4
    assert Template("{{upper newUUID}}").render(context()).isupper()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{.Something}}", r"\{\{.Something\}\} is no field; there are .WorkerID"),
        (
            "{{getSKU}}",
            "uses 'getSKU', which is no function here; there are newUUID, randomString, randomInt",
        ),
        ("{{randomString}}", "gives 0 arguments, randomString takes 1"),
        ("{{add1 1 2}}", "gives 2 arguments, add1 takes 1"),
        ("{{randomString ten}}", "uses 'ten', which is no function here"),
        ("{{.RequestNumber | .UUID}}", "pipes into '.UUID', which is no function"),
        ("{{.RequestNumber |}}", "is incomplete"),
        ("{{add (mul 2 3}}", "has no closing parenthesis"),
        ("{{.UUID .UUID}}", "has '.UUID' too many"),
        ("{{add 1 #}}", "neither a field, a number nor a text"),
        ("{{if .UUID}}x{{end}}", "uses 'if'"),
        ("{{}}", "is empty"),
        ("{{.UUID", "has no closing"),
    ],
)
def test_what_is_not_known_is_refused_when_it_is_read(text: str, message: str) -> None:
    with pytest.raises(LoadTestError, match=message):
        Template(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{randomString 99999999}}", "is more than"),
        ("{{repeat 999999 `long`}}", "is more than"),
        ("{{add1 .MethodName}}", "'Greet' is not a whole number"),
        ("{{div 1 0}}", "division by 0"),
        ('{{printf "%d" .MethodName}}', "cannot print"),
        ('{{printf "%d %d" 1}}', "cannot print"),
    ],
)
def test_what_cannot_be_rendered_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(LoadTestError, match=message):
        Template(text).render(context())


@given(st.text(alphabet='(){}|.`"\\\\ add1UUID0', max_size=30))
def test_an_action_is_rendered_or_refused_whatever_it_holds(action: str) -> None:
    with suppress(LoadTestError):
        assert isinstance(Template("{{" + action + "}}").render(context()), str)


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
