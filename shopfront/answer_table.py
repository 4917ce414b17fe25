"""Asks a running router and shows its answer to a person."""

from collections.abc import Sequence

import grpc
from google.protobuf.message import Message
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from protos.shopfront.v1 import recommend_pb2, recommend_pb2_grpc
from server.ingress.client_channel import RouterAddress, open_channel
from shopfront.looked_for import NOTHING, LookedFor

KINDS = {
    None: recommend_pb2.SIMILAR_ITEMS_KIND_UNSPECIFIED,
    "similar": recommend_pb2.SIMILAR_ITEMS_KIND_SIMILAR,
    "complementary": recommend_pb2.SIMILAR_ITEMS_KIND_COMPLEMENTARY,
}
"""Kinds of items that go with one, as the command line calls them."""


def ask(
    router: RouterAddress,
    user_id: str,
    scene: str,
    page_size: int,
    *,
    cart: Sequence[str] = (),
    looked_for: LookedFor = NOTHING,
    cursor: str = "",
    with_trace: bool = False,
    timeout_s: float = 10.0,
) -> recommend_pb2.RecommendResponse:
    """One `Recommend` call; raises grpc.RpcError where it fails, ChannelError where `router` is none."""
    request = recommend_pb2.RecommendRequest(
        scene=scene,
        user_id=user_id,
        page_size=page_size,
        cart_item_ids=cart,
        context=looked_for.message(),
        page_cursor=cursor,
        with_trace=with_trace,
    )
    with open_channel(router) as channel:
        return _answered(recommend_pb2_grpc.RecommendServiceStub(channel).Recommend, request, timeout_s)


def ask_about(
    router: RouterAddress,
    item_id: str,
    user_id: str,
    kind: str | None,
    scene: str,
    page_size: int,
    *,
    looked_for: LookedFor = NOTHING,
    cursor: str = "",
    with_trace: bool = False,
    timeout_s: float = 10.0,
) -> recommend_pb2.RecommendResponse:
    """One `SimilarItems` call; raises as `ask` does.

    kind: one of `KINDS`; scene: empty = that of the kind.
    """
    request = recommend_pb2.SimilarItemsRequest(
        item_id=item_id,
        user_id=user_id,
        kind=KINDS[kind],
        scene=scene,
        page_size=page_size,
        context=looked_for.message(),
        page_cursor=cursor,
        with_trace=with_trace,
    )
    with open_channel(router) as channel:
        return _answered(recommend_pb2_grpc.RecommendServiceStub(channel).SimilarItems, request, timeout_s)


def _answered(
    call: grpc.UnaryUnaryMultiCallable, request: Message, timeout_s: float
) -> recommend_pb2.RecommendResponse:
    response: recommend_pb2.RecommendResponse = call(request, timeout=timeout_s)
    return response


def show(
    console: Console,
    user_id: str,
    answer: recommend_pb2.RecommendResponse,
    titles: dict[str, str],
    *,
    with_cursor: bool = False,
) -> None:
    """Print the answer as a table, and its trace where it has one.

    titles: item id → title, for triggers; an id without one is shown as it is. with_cursor: print what asks
    for the next page too.
    """
    model = f"{answer.model_name} {answer.model_version}" if answer.model_name else _without_model(answer)
    table = Table(
        title=escape(
            f"Recommended to shopper {user_id or '(anonymous)'} in scene {answer.scene}, scored by {model}"
        ),
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    # Long names give way, so that every column shows on a terminal of 80 characters.
    channels_width = 36 if console.width >= 110 else 18
    names_width = max(30, console.width - channels_width - 26)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("item", width=names_width * 2 // 5, no_wrap=True)
    table.add_column("category", width=names_width * 3 // 10, no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("recalled by", width=channels_width)
    table.add_column("because of", width=names_width * 3 // 10, no_wrap=True)
    for position, item in enumerate(answer.items, start=1):
        trigger = next((reason.trigger_item_id for reason in item.reasons if reason.trigger_item_id), "")
        table.add_row(
            str(position),
            escape(item.title or item.item_id),
            escape(item.category),
            f"{item.score:.4f}",
            escape(", ".join(reason.channel for reason in item.reasons)),
            escape(titles.get(trigger) or trigger),
        )
    console.print(table)
    if answer.arms:
        arms = ", ".join(f"{experiment}: {arm}" for experiment, arm in sorted(answer.arms.items()))
        console.print(f"in the arms {arms}", markup=False, highlight=False)
    if answer.degraded:
        console.print(f"[yellow]without[/]: {escape(', '.join(answer.degraded))}")
    if answer.HasField("matching_items"):
        console.print(f"{answer.matching_items:,} items in stock satisfy every must")
    if with_cursor and answer.next_page_cursor:
        # Unbroken, to be copied.
        console.print(f"--cursor {answer.next_page_cursor}", markup=False, highlight=False, soft_wrap=True)
    if answer.HasField("trace"):
        _show_trace(console, answer.trace)


def _show_trace(console: Console, trace: recommend_pb2.Trace) -> None:
    table = Table(title=f"Trace: {trace.total_ms:.1f} ms", title_justify="left")
    for name in ("stage", "in", "out", "removed", "begin ms", "ms", "outcome"):
        table.add_column(name, justify="left" if name in ("stage", "removed", "outcome") else "right")
    for stage in trace.stages:
        table.add_row(
            escape(stage.stage),
            str(stage.count_in),
            str(stage.count_out),
            escape(", ".join(f"{reason} {count}" for reason, count in stage.removed.items())),
            f"{stage.start_ms:.1f}",
            f"{stage.elapsed_ms:.1f}",
            escape(f"{stage.outcome} {stage.detail}".strip()),
        )
    console.print(table)


def _without_model(answer: recommend_pb2.RecommendResponse) -> str:
    """What ordered a page that no model of Triton scored."""
    ranked = answer.score_kind in (recommend_pb2.SCORE_KIND_PROBABILITY, recommend_pb2.SCORE_KIND_ORDER)
    return "what the router itself computes" if ranked else "none (recall order)"
