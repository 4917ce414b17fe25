"""Which tests run in one process, where several run beside each other."""

from __future__ import annotations

import re

from xdist.scheduler import LoadFileScheduling

_INGRESS = re.compile(r"^tests/server/ingress/[^:]+::.*\[(in_process|haproxy|grpc)\b")


class ServersTogether(LoadFileScheduling):
    """Tests behind one ingress go together over their files: a fixture of the package starts it once.

    Others go by file. (`xdist_group` would say the same, but pytest-xdist 3.8 writes it into a field from
    which pytest 9 does not read the id of a test.)
    """

    def _split_scope(self, nodeid: str) -> str:
        ingress = _INGRESS.match(nodeid)
        return f"tests/server/ingress {ingress[1]}" if ingress else nodeid.partition("::")[0]
