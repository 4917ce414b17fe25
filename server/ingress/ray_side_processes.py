"""A local Ray node without the processes that serve its dashboard, its logs and its autoscaler.

Ray 2.60 starts them beside every head node, also with `include_dashboard=False`, and offers no way to leave
them out. They take 400 MiB and a second of the start, and nothing here asks them anything: Ray's metrics are
off, its logs are read as files, and a local node does not grow.

The raylet does not run without a dashboard agent and an agent for runtime environments, whose ports it waits
for in files. A small program takes the place of both: it writes −1, Ray's own sign for a service that is not
in use, and ends with the raylet. Nothing here asks for a runtime environment, which the latter would make:
the node's processes inherit the environment of the one that starts it.
"""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

_STARTERS = ("start_api_server", "start_monitor", "start_log_monitor")
_DASHBOARD, _RUNTIME = "--dashboard_agent_command=", "--runtime_env_agent_command="
_AGENT = """#!/bin/sh
# In place of Ray's dashboard agent and of its agent for runtime environments.
ports="metrics_agent_port metrics_export_port dashboard_agent_listen_port"
for argument; do
    case $argument in
    --session-dir=*) folder=${argument#*=} ;;
    --runtime-env-dir=*) ports=runtime_env_agent_port ;;
    esac
done
for port in $ports; do
    printf %s -1 >"$folder/.$port"
    mv "$folder/.$port" "$folder/${port}_$RAY_NODE_ID"
done
exec tail -s 5 --pid="$PPID" -f /dev/null
"""


@contextmanager
def without_side_processes(folder: Path, *, runtime_environments: bool = False) -> Iterator[None]:
    """A local node that Ray starts in this process while the body runs has none of them.

    Where Ray is another version, whose parts have other names, it starts as Ray starts it, with a warning.

    Args:
        folder: of the session; the program in the agent's place is written into it.
        runtime_environments: the agent that makes them stays.
    """
    # Only now: importing Ray reads the environment.
    from ray._private import services
    from ray._private.node import Node

    if not all(callable(getattr(Node, name, None)) for name in _STARTERS) or not hasattr(
        services, "start_ray_process"
    ):
        logger.warning("this version of Ray starts its dashboard's processes, which take 400 MiB")
        yield
        return
    replaced = (_DASHBOARD,) if runtime_environments else (_DASHBOARD, _RUNTIME)
    agent = folder / "dashboard-agent"
    agent.write_text(_AGENT)
    agent.chmod(0o700)
    starters = {name: getattr(Node, name) for name in _STARTERS}
    start = services.start_ray_process

    def start_with_that_agent(command: Sequence[str], process_type: str, *args: Any, **named: Any) -> Any:
        return start(with_agent(command, agent, replaced), process_type, *args, **named)

    try:
        services.start_ray_process = start_with_that_agent
        for name in _STARTERS:
            setattr(Node, name, _start_nothing)
        yield
    finally:
        services.start_ray_process = start
        for name, starter in starters.items():
            setattr(Node, name, starter)


def with_agent(
    command: Sequence[str], agent: Path, options: Sequence[str] = (_DASHBOARD, _RUNTIME)
) -> list[str]:
    """A command line, that of a raylet with `agent` as the program of the agents that `options` name."""
    return [_with_program(word, agent, options) for word in command]


def _with_program(word: str, agent: Path, options: Sequence[str]) -> str:
    for option in options:
        if word.startswith(option):
            return f"{option}{shlex.quote(str(agent))} {word.removeprefix(option)}"
    return word


def _start_nothing(*args: Any, **named: Any) -> None:
    """Takes the place of the start of a process that is not wanted."""
