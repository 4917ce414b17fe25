"""What the console receives where it is started as a process of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from console.settings import ConsoleSettings
from server.ingress.client_channel import RouterAddress

TOKEN_VARIABLE = "SHOPFRONT_TOKEN"


class ProcessOptions(BaseModel):
    """Its one argument, in JSON; the router's token comes by the environment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    router: RouterAddress
    settings: ConsoleSettings


def command(router: RouterAddress, settings: ConsoleSettings) -> list[str]:
    """The command line of a console; the token, which other users could read there, is left out."""
    options = ProcessOptions(router=replace(router, token=""), settings=settings)
    return [sys.executable, "-m", "console.own_process", options.model_dump_json()]


def environment(router: RouterAddress, own: Mapping[str, str]) -> dict[str, str]:
    """The environment of the process: `own`, with the router's token in place of any other."""
    code = str(Path(__file__).resolve().parent.parent)
    rest = {name: value for name, value in own.items() if name != TOKEN_VARIABLE}
    path = os.pathsep.join([code, *filter(None, [own.get("PYTHONPATH", "")])])
    return rest | {"PYTHONPATH": path} | ({TOKEN_VARIABLE: router.token} if router.token else {})
