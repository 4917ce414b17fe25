"""Which tests run in one process, where several run beside each other, and which of them first."""

from __future__ import annotations

import re

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

_INGRESS = re.compile(r"^tests/server/ingress/[^:]+::.*\[(in_process|haproxy|grpc)\b")
_SHARING = re.compile(r"^(tests/(exporters|vision))/|^(tests/rollout)/test_(leaders|rollouts_end_to_end)\.py")
"""Folders, or files of them, whose session or package fixture trains, exports or serves."""
_LONG = ("tests/server", "tests/rollout", "tests/plugin_shop", "tests/shopfront", "tests/console")
"""Folders with files that take minutes: one begun at the end would leave the other processes idle."""


class ServersTogether(LoadFileScheduling):
    """Tests that share an expensive fixture go together over their files, which one process sets up once.

    Others go by file. Folders with long files come first; among equals, what has more tests.
    (`xdist_group` would group the same, but pytest-xdist 3.8 writes it into a field from which pytest 9 does
    not read the id of a test.)
    """

    def _split_scope(self, nodeid: str) -> str:
        ingress = _INGRESS.match(nodeid)
        if ingress:
            return f"tests/server/ingress {ingress[1]}"
        sharing = _SHARING.match(nodeid)
        return sharing[1] or sharing[3] if sharing else nodeid.partition("::")[0]

    def _assign_work_unit(self, node: WorkerController) -> None:
        first = min(self.workqueue, key=lambda scope: not scope.startswith(_LONG))
        self.workqueue.move_to_end(first, last=False)
        super()._assign_work_unit(node)
