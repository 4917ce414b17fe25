"""Whether the models a snapshot belongs to are on Triton."""

from __future__ import annotations

from collections.abc import Mapping

from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException


class TritonModels:
    """Reads from one Triton which model versions are ready."""

    def __init__(self, client: InferenceServerClient, timeout_s: float = 1.0) -> None:
        """`timeout_s`: seconds to wait for each answer."""
        self._client = client
        self._timeout_s = timeout_s

    async def missing(self, versions: Mapping[str, str]) -> list[str]:
        """Those of `versions` (model → version) not ready now, as "bst 3"; all where Triton is down."""
        return [
            f"{name} {version}" for name, version in versions.items() if not await self._ready(name, version)
        ]

    async def _ready(self, name: str, version: str) -> bool:
        try:
            return bool(await self._client.is_model_ready(name, version, client_timeout=self._timeout_s))
        except InferenceServerException:
            return False
