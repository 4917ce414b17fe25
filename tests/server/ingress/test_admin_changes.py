"""AdminService behind every ingress: what it changes, for every replica, and what it refuses to change."""

from __future__ import annotations

import json
import time

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from protos.shopfront.v1 import admin_pb2
from protos.shopfront.v1.admin_pb2_grpc import AdminServiceStub
from server.ingress.status import DETAILS_KEY
from testing.running_router import Ingress
from testing.served_shop import ServedShop

_S = 20
_BY = {"operator": "ann", "reason": "a test"}


@pytest.fixture
def admin(ingress: Ingress) -> AdminServiceStub:
    return AdminServiceStub(ingress.channel)


def refused(call: object, request: Message) -> tuple[grpc.StatusCode, list[str]]:
    """Code and fields of a refused call."""
    with pytest.raises(grpc.RpcError) as error:
        call(request, timeout=_S)  # type: ignore[operator]
    details = error_details_pb2.BadRequest()
    trailers = dict(error.value.trailing_metadata())
    for each in status_pb2.Status.FromString(trailers.get(DETAILS_KEY, b"")).details:
        each.Unpack(details)
    return error.value.code(), [each.field for each in details.field_violations]


def test_a_rule_is_added_listed_and_ended(admin: AdminServiceStub, shop: ServedShop) -> None:
    until = int(time.time()) + 3_600
    # Of an item that nobody is shown, since other tests share the shop.
    added = admin.AddRule(
        admin_pb2.AddRuleRequest(action="block", value="i9998", expires_at=until, **_BY), timeout=_S
    )
    assert (added.by, added.known, added.operator, added.expires_at) == ("item", False, "ann", until)
    # The file is every replica's.
    for _ in range(6):
        found = admin.ListRules(admin_pb2.ListRulesRequest(), timeout=_S)
        assert [rule.id for rule in found.rules] == [added.id]
        assert {"item", "brand", "category"} <= set(found.groups)
    assert admin.ListRules(admin_pb2.ListRulesRequest(item_id="i9998"), timeout=_S).total == 1
    assert admin.ListRules(admin_pb2.ListRulesRequest(item_id="i0001"), timeout=_S).total == 0
    ended = admin.RemoveRule(admin_pb2.RemoveRuleRequest(id=added.id, **_BY), timeout=_S)
    assert ended == added
    assert not admin.ListRules(admin_pb2.ListRulesRequest(expired=True), timeout=_S).rules
    noted = (shop.folder / "business_rules.json.audit.jsonl").read_text().splitlines()
    assert [json.loads(line)["change"] for line in noted[-2:]] == ["add", "remove"]
    assert refused(admin.RemoveRule, admin_pb2.RemoveRuleRequest(id=added.id, **_BY))[1] == ["id"]


@pytest.mark.parametrize(
    ("fields", "at_fault"),
    [
        ({"action": "hide", "value": "i0001"}, "action"),
        ({"action": "block", "value": " "}, "value"),
        ({"action": "block", "value": "i0001", "reason": ""}, "reason"),
        ({"action": "block", "value": "i0001", "operator": "x" * 301}, "operator"),
        ({"action": "block", "value": "i0001", "scene": "attic"}, "scene"),
        ({"action": "block", "value": "i0001", "by": "colour"}, "rule"),
        ({"action": "block", "value": "i0001", "expires_at": 5}, "rule"),
        ({"action": "pin", "value": "i0001", "scene": "home"}, "rule"),
        ({"action": "pin", "value": "i0001", "scene": "home", "position": 101}, "rule"),
    ],
)
def test_a_wrong_rule_is_named_and_changes_nothing(
    admin: AdminServiceStub, fields: dict[str, object], at_fault: str
) -> None:
    request = admin_pb2.AddRuleRequest(**(_BY | fields))  # type: ignore[arg-type]
    assert refused(admin.AddRule, request) == (grpc.StatusCode.INVALID_ARGUMENT, [at_fault])
    assert not admin.ListRules(admin_pb2.ListRulesRequest(expired=True), timeout=_S).rules


def serves(admin: AdminServiceStub, key: str, value: str) -> bool:
    """Whether every replica that is asked has the value in scene cart."""
    for _ in range(8):
        found = admin.InspectScenes(admin_pb2.InspectScenesRequest(), timeout=_S)
        (cart,) = (scene for scene in found.scenes if scene.name == "cart")
        if {row.key: row.value for row in cart.settings}[key] != value:
            return False
    return True


def test_scenes_are_previewed_applied_and_put_back(admin: AdminServiceStub, shop: ServedShop) -> None:
    before = shop.scenes.read_text()
    edit = admin_pb2.SceneEdit(path=["page", "default_size"], value="11")
    request = admin_pb2.PreviewScenesRequest(scene="cart", edits=[edit], user_ids=["u0003", ""])
    seen = admin.PreviewScenes(request, timeout=_S)
    assert not seen.problems
    assert seen.content == before.replace("page: {default_size: 10}", "page: {default_size: 11}")
    assert [(len(page.before), len(page.after)) for page in seen.pages] == [(10, 11), (10, 11)]
    assert shop.scenes.read_text() == before

    def apply(content: str, base: str) -> admin_pb2.ApplyScenesRequest:
        return admin_pb2.ApplyScenesRequest(content=content, base_digest=base, **_BY)

    try:
        applied = admin.ApplyScenes(apply(seen.content, seen.base_digest), timeout=_S)
        assert not applied.refused
        assert (applied.change.lines_added, applied.change.lines_removed) == (1, 1)
        assert shop.scenes.read_text() == seen.content
        while not serves(admin, "page.default_size", "11"):
            time.sleep(0.05)
        assert refused(admin.ApplyScenes, apply(before, seen.base_digest))[0] is grpc.StatusCode.ABORTED
        read = admin.ReadSceneFile(admin_pb2.ReadSceneFileRequest(change_id=applied.change.id), timeout=_S)
        assert (read.content, read.earlier_content, read.fixed) == (seen.content, before, "")
        assert read.changes[0] == applied.change
        admin.ApplyScenes(apply(read.earlier_content, read.digest), timeout=_S)
    finally:
        shop.scenes.write_text(before)
    while not serves(admin, "page.default_size", "10"):
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("edits", "problem"),
    [
        ([(["channels", "hott", "share"], "1")], "scenes.cart.channels.hott"),
        ([(["page", "default_size"], "0")], "scenes.cart.page.default_size"),
        ([(["channels", "hot", "share"], '"much"')], "scenes.cart.channels.hot.share"),
        ([(["ranking", "scorers"], '{"logistic": {}}')], "logistic"),
    ],
)
def test_edits_are_refused_as_in_the_file(
    admin: AdminServiceStub, shop: ServedShop, edits: list[tuple[list[str], str]], problem: str
) -> None:
    request = admin_pb2.PreviewScenesRequest(
        scene="cart", edits=[admin_pb2.SceneEdit(path=path, value=value) for path, value in edits]
    )
    seen = admin.PreviewScenes(request, timeout=_S)
    assert problem in seen.problems[0]
    before = shop.scenes.read_text()
    code, fields = refused(
        admin.ApplyScenes,
        admin_pb2.ApplyScenesRequest(content=seen.content, base_digest=seen.base_digest, **_BY),
    )
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert fields == ["content"] * len(seen.problems)
    assert shop.scenes.read_text() == before


def test_what_is_no_edit_is_named(admin: AdminServiceStub) -> None:
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    for value in ("1e", "NaN", "[" * 5_000):
        edit = admin_pb2.SceneEdit(path=["candidates"], value=value)
        wrong = admin_pb2.PreviewScenesRequest(scene="cart", edits=[edit])
        assert refused(admin.PreviewScenes, wrong) == (invalid, ["edits[0].value"])
    nowhere = admin_pb2.PreviewScenesRequest(edits=[admin_pb2.SceneEdit(path=["a"], value="1")])
    assert refused(admin.PreviewScenes, nowhere) == (invalid, ["scene"])
    many = admin_pb2.PreviewScenesRequest(scene="cart", user_ids=["u"] * 6)
    assert refused(admin.PreviewScenes, many)[0] is invalid
    assert refused(admin.ApplyScenes, admin_pb2.ApplyScenesRequest(content="a: 1"))[1] == ["base_digest"]
    lost = admin_pb2.ReadSceneFileRequest(change_id="../../etc/passwd")
    assert refused(admin.ReadSceneFile, lost) == (invalid, ["change_id"])
