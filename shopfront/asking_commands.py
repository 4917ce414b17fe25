"""`shopfront recommend`, `feedback` and `console`: commands that talk to a running router."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import grpc
import typer

from server.ingress.client_channel import RouterAddress, why_unanswered
from shopfront.command_end import Refused
from shopfront.command_options import console
from shopfront.looked_for import NOTHING, LookedFor, MustField
from shopfront.router_options import takes_router

app = typer.Typer()

User = Annotated[str, typer.Option(help="Shopper to ask for; default: one with a history.")]
Scene = Annotated[
    str, typer.Option(help="Scene to ask for; default: home, and with --item that of the kind.")
]


@app.command()
@takes_router
def recommend(
    router: RouterAddress,
    user: User = "",
    scene: Scene = "",
    page_size: Annotated[int, typer.Option(help="Items wanted.")] = 10,
    cart: Annotated[
        str, typer.Option(help="Items in the shopper's cart, their ids with commas between them.")
    ] = "",
    item: Annotated[str, typer.Option(help="Ask for items that go with this one.")] = "",
    kind: Annotated[
        Literal["similar", "complementary"] | None,
        typer.Option(help="With --item: what may be taken instead of it, or with it; default: both."),
    ] = None,
    query: Annotated[str, typer.Option(help="What the shopper searched for.")] = "",
    category: Annotated[
        str, typer.Option(help="Category the shopper is in, or the first parts of its path.")
    ] = "",
    brand: Annotated[str, typer.Option(help="Brand the shopper wants.")] = "",
    price_from: Annotated[float | None, typer.Option(help="Lowest price the shopper wants.")] = None,
    price_to: Annotated[float | None, typer.Option(help="Highest price the shopper wants.")] = None,
    must: Annotated[
        list[MustField] | None,
        typer.Option(help="Which of these every item must satisfy; may be given several times."),
    ] = None,
    cursor: Annotated[str, typer.Option(help="The next page: what the page before printed.")] = "",
    trace: Annotated[bool, typer.Option(help="Show the trace of the stages.")] = False,
) -> None:
    """Ask a running router and print its answer."""
    from shopfront.answer_table import ask, ask_about, show
    from shopfront.trigger_titles import titles_of_triggers

    if item and cart:
        raise Refused("--item asks for a page about one item, --cart for one about several: name one of them")
    if kind and not item:
        raise Refused("--kind says which items go with one: name it with --item")
    ids = [each.strip() for each in cart.split(",") if each.strip()]
    looked_for = LookedFor(query, category, brand, price_from, price_to, must or ())
    try:
        if item:
            answer = ask_about(
                router,
                item,
                user,
                kind,
                scene,
                page_size,
                looked_for=looked_for,
                cursor=cursor,
                with_trace=trace,
            )
        else:
            answer = ask(
                router,
                user,
                scene or ("home" if looked_for == NOTHING else "search_companion"),
                page_size,
                cart=ids,
                looked_for=looked_for,
                cursor=cursor,
                with_trace=trace,
            )
        show(console, user, answer, titles_of_triggers(router, answer), with_cursor=True)
    except grpc.RpcError as error:
        raise Refused(why_unanswered(router, error)) from error


@app.command("search-image")
@takes_router
def search_image_command(
    router: RouterAddress,
    picture: Annotated[Path | None, typer.Argument(help="JPEG, PNG, WebP, GIF, BMP or TIFF file.")] = None,
    item: Annotated[str, typer.Option(help="In place of a file: an item, by its first picture.")] = "",
    box: Annotated[
        str, typer.Option(help="Part of the picture that counts: left,top,right,bottom, each 0 to 1.")
    ] = "",
    tap: Annotated[
        str, typer.Option(help="A place on what is looked for: x,y, each 0 to 1; the object there counts.")
    ] = "",
    surest_object: Annotated[
        bool, typer.Option("--surest-object", help="Only the surest object of the picture counts.")
    ] = False,
    user: Annotated[str, typer.Option(help="Shopper whose blocks hold.")] = "",
    page_size: Annotated[int, typer.Option(help="Items wanted.")] = 10,
    category: Annotated[
        str, typer.Option(help="Only items of this category, or of the first parts of its path.")
    ] = "",
    price_from: Annotated[float | None, typer.Option(help="Lowest price.")] = None,
    price_to: Annotated[float | None, typer.Option(help="Highest price.")] = None,
    cursor: Annotated[str, typer.Option(help="The next page: what the page before printed.")] = "",
    trace: Annotated[bool, typer.Option(help="Show the trace of the stages.")] = False,
) -> None:
    """Ask a running router for items that look like a picture."""
    from shopfront.answer_table import show
    from shopfront.picture_command import box_of, point_of, read_picture, search_image, show_objects
    from shopfront.trigger_titles import titles_of_triggers

    if (picture is None) == (not item):
        raise Refused("name a picture or --item, one of them")
    priced = price_from is not None or price_to is not None
    must = [MustField.CATEGORY] * bool(category) + [MustField.PRICE] * priced
    looked_for = LookedFor("", category, "", price_from, price_to, must)
    try:
        answer = search_image(
            router,
            b"" if picture is None else read_picture(picture),
            item,
            box=box_of(box),
            tap=point_of(tap),
            surest_object=surest_object,
            user_id=user,
            page_size=page_size,
            looked_for=looked_for,
            cursor=cursor,
            with_trace=trace,
        )
        show_objects(answer, console)
        page = answer.page
        show(console, user, page, titles_of_triggers(router, page), with_cursor=True)
    except ValueError as error:
        raise Refused(str(error)) from error
    except grpc.RpcError as error:
        raise Refused(why_unanswered(router, error)) from error


@app.command("detect-objects")
@takes_router
def detect_objects_command(
    router: RouterAddress,
    picture: Annotated[Path, typer.Argument(help="JPEG, PNG, WebP, GIF, BMP or TIFF file.")],
    limit: Annotated[int, typer.Option(help="Most objects.")] = 5,
) -> None:
    """Ask a running router where things are in a picture."""
    from protos.shopfront.v1 import visual_pb2
    from shopfront.picture_command import detect_objects, read_picture, show_objects

    try:
        found = detect_objects(router, read_picture(picture), limit=limit)
    except ValueError as error:
        raise Refused(str(error)) from error
    except grpc.RpcError as error:
        raise Refused(why_unanswered(router, error)) from error
    show_objects(visual_pb2.SearchByImageResponse(objects=found.objects), console)
    how = "by trained layers" if found.learned else "by what stands out of the picture's edges"
    degraded = f"; degraded: {', '.join(found.degraded)}" if found.degraded else ""
    console.print(f"{len(found.objects)} objects, found {how}{degraded}", highlight=False)


Items = Annotated[list[str] | None, typer.Option(help="Item; may be given several times.")]


@app.command()
@takes_router
def feedback(
    router: RouterAddress,
    user: Annotated[str, typer.Option(help="Shopper who says it.")],
    rate: Annotated[
        list[str] | None,
        typer.Option(
            help="DIMENSION=VALUE, repeated: relevance, variety, price, delivery or service, 1 to 5."
        ),
    ] = None,
    reason: Annotated[list[str] | None, typer.Option(help="Why, such as too_expensive; repeated.")] = None,
    comment: Annotated[str, typer.Option(help="Free text.")] = "",
    item: Annotated[str, typer.Option(help="Item that ratings, reasons and comment are about.")] = "",
    not_interested: Items = None,
    with_brand: Annotated[bool, typer.Option("--with-brand", help="Nor in its brand.")] = False,
    with_category: Annotated[bool, typer.Option("--with-category", help="Nor in its category.")] = False,
    seen_too_often: Items = None,
    own_it: Items = None,
    undo: Items = None,
    attribution_token: Annotated[str, typer.Option(help="Token of the answer it is about.")] = "",
    feedback_id: Annotated[str, typer.Option(help="For sending again safely.")] = "",
) -> None:
    """Send what a shopper says to a running router: ratings, and what not to show."""
    from protos.shopfront.v1.feedback_pb2 import SendFeedbackRequest
    from shopfront.feedback_command import parse_rating, said_of_items, send_feedback

    try:
        ratings = [parse_rating(text) for text in rate or ()]
    except ValueError as error:
        raise Refused(str(error)) from error
    request = SendFeedbackRequest(
        user_id=user,
        ratings=ratings,
        reasons=reason or (),
        comment=comment,
        item_id=item,
        items=said_of_items(
            not_interested=not_interested or (),
            seen_too_often=seen_too_often or (),
            own_it=own_it or (),
            undo=undo or (),
            with_brand=with_brand,
            with_category=with_category,
        ),
        attribution_token=attribution_token,
        feedback_id=feedback_id,
    )
    try:
        answer = send_feedback(router, request)
    except grpc.RpcError as error:
        raise Refused(why_unanswered(router, error)) from error
    stored = "stored before: nothing was added" if answer.already_stored else "stored"
    console.print(f"{stored}{', credited to its answer' if answer.credited else ''}")


@app.command("console")
@takes_router
def console_command(
    router: RouterAddress,
    listen: Annotated[
        str, typer.Option(help="host:port for browsers; beyond loopback --users is needed.")
    ] = "127.0.0.1:9001",
    users: Annotated[
        Path | None, typer.Option(help="File of users, one a line: viewer or operator, a name, a token.")
    ] = None,
    host: Annotated[
        list[str] | None, typer.Option(help="Further host name by which browsers call; may be repeated.")
    ] = None,
    audit: Annotated[Path, typer.Option(help="File to which every change is added.")] = Path(
        "console_audit.jsonl"
    ),
) -> None:
    """Show a running router in a browser, until Ctrl-C."""
    from pydantic import ValidationError

    from console.access import AccessError
    from console.app import serve
    from console.settings import ConsoleSettings
    from server.ingress_settings import split_address
    from shopfront.before_build import why_taken

    try:
        settings = ConsoleSettings(address=listen, tokens_file=users, hosts=tuple(host or ()), audit=audit)
        taken = why_taken(*split_address(listen))
        if taken:
            raise Refused(f"{listen} cannot be taken ({taken}); stop what holds it, or give --listen")
        console.print(f"Console on http://{listen}/ for the router at {router.address}", highlight=False)
        serve(router, settings)
    except ValidationError as error:
        raise Refused("; ".join(each["msg"] for each in error.errors())) from error
    except AccessError as error:
        raise Refused(str(error)) from error
