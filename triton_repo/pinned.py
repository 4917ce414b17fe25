"""Which versions of a model Triton must have loaded, where the two newest are not the right ones."""

import msgspec


class Pinned(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The versions of one model to have loaded."""

    versions: tuple[int, ...]
    """Ascending."""
    on_trial: tuple[int, ...] = ()
    """Those of them that a starting server leaves out: one may be what has ended the server before."""
    holder: str = ""
    """The rollout that needs them; "" where it has ended."""

    def with_version(self, version: int) -> "Pinned":
        """The pins once a new version is published: without a rollout two are enough, as by default."""
        versions = tuple(sorted({*self.versions, version}))
        return Pinned(versions if self.holder else versions[-2:], self.on_trial, self.holder)
