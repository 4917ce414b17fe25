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
    instead_of: int = 0
    """The version that snapshots go on naming though one of these was promoted over it; 0: none."""

    def with_version(self, version: int) -> "Pinned":
        """The pins once a new version is published: without a rollout two are enough, as by default."""
        versions = tuple(sorted({*self.versions, version}))
        return Pinned(versions if self.holder else versions[-2:], self.on_trial, self.holder, self.instead_of)

    def requiring(self, version: int) -> "Pinned":
        """The pins once a snapshot that names `version` is served: it is among them, unless replaced."""
        if version == self.instead_of or (version in self.versions and version not in self.on_trial):
            return self
        kept = self.versions if self.holder else self.versions[-1:]
        on_trial = tuple(other for other in self.on_trial if other != version)
        return Pinned(tuple(sorted({*kept, version})), on_trial, self.holder, self.instead_of)
