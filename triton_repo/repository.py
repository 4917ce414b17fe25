"""The model repository on disk: configurations, numbered versions, and what is refused."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from triton_repo.configuration import config_text, with_newest, with_settings, with_versions
from triton_repo.contract import Contract
from triton_repo.errors import RepositoryError
from triton_repo.manifest import VersionManifest, read_manifest, verify
from triton_repo.pinned import Pinned
from triton_repo.settings import ModelSettings
from triton_repo.staging import remove_abandoned, stage

_SERVED = "served.json"
_FOLDER_MODE, _FILE_MODE = 0o755, 0o644
"""Models hold nothing of single shoppers, and a Triton in a container of its own has another user."""


class ModelRepository:
    """The folder `<root>/models` that Triton serves, and beside it what must stay out of Triton's sight.

    `<root>` is `<workspace>/triton`. `staging/` holds versions being written, `refused/` versions that
    were found corrupt or that the server could not load, kept so that the reason can be found. `pinned/`
    names the versions to load of models whose two newest are not the right ones, and `served.json` the
    version of each model that the published snapshot names.
    """

    def __init__(self, root: Path, contracts: Mapping[str, Contract] | None = None) -> None:
        """Creates nothing on disk.

        Args:
            root: `<workspace>/triton`.
            contracts: the models that `configure` knows, by name; needed only by who calls it.
        """
        self.root = root.absolute()
        self.models_folder = self.root / "models"
        self._staging = self.root / "staging"
        self._contracts = dict(contracts or {})

    def configure(self, models: Mapping[str, ModelSettings]) -> None:
        """Writes `config.pbtxt` of each model: generated from its contract, with the operator's settings.

        Pinned versions are to be loaded, but for those on trial: a server that starts must not meet again
        what may have ended it. Raises RepositoryError where a model is not registered.
        """
        for model, settings in models.items():
            contract = self._contracts.get(model)
            if contract is None:
                known = ", ".join(sorted(self._contracts)) or "none"
                raise RepositoryError(
                    f"model {model!r} is not registered, so it cannot be configured; registered models are"
                    f" {known}: correct the name in triton.embedded.models, name the module that"
                    " registers it under plugins, or run `shopfront build` where one built with it is served"
                )
            text = with_settings(config_text(contract), settings)
            pinned = self.pinned(model)
            if pinned is not None:
                text = with_versions(text, self._loadable(model, pinned, with_trials=False))
            target = self.models_folder / model / "config.pbtxt"
            if target.is_file() and target.read_text() == text:
                continue
            self._make(target.parent)
            _write(target, text)

    def pinned(self, model: str) -> Pinned | None:
        """The pins of a model; None where its two newest versions are loaded.

        Raises RepositoryError where they cannot be read.
        """
        path = self._pins(model)
        try:
            return msgspec.json.decode(path.read_bytes(), type=Pinned)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RepositoryError(
                f"{path} cannot be read: {error}; remove it to have the two newest versions loaded"
            ) from error

    def pin(self, model: str, pinned: Pinned) -> None:
        """Has the pinned versions loaded, and no others, from the next load of the model on; durable.

        Triton loads and unloads single versions by it and leaves the processes of the others alone. Raises
        RepositoryError where the model is not configured.
        """
        self._write_pins(model, pinned)
        self.load_usual(model)

    def record_served(self, versions: Mapping[str, int]) -> None:
        """Notes which version of each model is served from now on: a server that starts loads it; durable."""
        self.root.mkdir(parents=True, exist_ok=True)
        _write(self.root / _SERVED, msgspec.json.encode(dict(versions)).decode())

    def served(self) -> dict[str, int]:
        """Model → version, as noted last; empty where nothing was. RepositoryError where it is unreadable."""
        path = self.root / _SERVED
        try:
            return msgspec.json.decode(path.read_bytes(), type=dict[str, int])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RepositoryError(f"{path} cannot be read: {error}; the next build writes it anew") from error

    def require(self, model: str, version: int) -> None:
        """Has a version that is served loaded from the next `configure` on, whichever are the newest.

        A candidate that waits for its rollout, or one trained beside it, is newer than what serves, and
        pins may date from before a build. A version that is not there is passed over.
        """
        there = self.versions(model)
        if version not in there:
            return
        pinned = self.pinned(model)
        if pinned is None:
            if version in there[-2:]:
                return
            required = Pinned((version,))
        else:
            required = pinned.requiring(version)
        if required != pinned:
            self._write_pins(model, required)

    def load_usual(self, model: str) -> None:
        """Has the pinned versions loaded from the next load on, or the two newest where none are pinned."""
        pinned = self.pinned(model)
        if pinned is not None:
            self.load_only(model, self._loadable(model, pinned, with_trials=True))
            return
        path = self._configured(model)
        _write(path, with_newest(path.read_text()))

    def load_only(self, model: str, versions: tuple[int, ...]) -> None:
        """Has these versions loaded from the next load on, until the configuration is written again."""
        path = self._configured(model)
        _write(path, with_versions(path.read_text(), versions))

    def lacking(self, model: str, served: int | None) -> list[int]:
        """Versions that are to be loaded and are not there, ascending, but for those on trial.

        `served`: the version that the published snapshot names, None where it names none.
        """
        pinned = self.pinned(model)
        wanted = set() if served is None else {served}
        if pinned is not None:
            wanted = (wanted - {pinned.instead_of} | set(pinned.versions)) - set(pinned.on_trial)
        return sorted(wanted - set(self.versions(model)))

    def _make(self, folder: Path) -> None:
        """Makes a folder below the root; a Triton of another user may read it and those above it."""
        folder.mkdir(parents=True, exist_ok=True)
        for made in (folder, *folder.parents):
            mode = made.stat().st_mode & 0o777
            if mode & _FOLDER_MODE != _FOLDER_MODE:
                made.chmod(mode | _FOLDER_MODE)
            if made == self.root:
                return

    def _configured(self, model: str) -> Path:
        path = self.models_folder / model / "config.pbtxt"
        if not path.is_file():
            raise RepositoryError(f"{path} is missing; start the server, which writes it")
        return path

    def _pins(self, model: str) -> Path:
        return self.root / "pinned" / f"{model}.json"

    def _write_pins(self, model: str, pinned: Pinned) -> None:
        path = self._pins(model)
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, msgspec.json.encode(pinned).decode())

    def _loadable(self, model: str, pinned: Pinned, *, with_trials: bool) -> tuple[int, ...]:
        there = set(self.versions(model))
        wanted = set(pinned.versions) - (set() if with_trials else set(pinned.on_trial))
        return tuple(sorted(wanted & there))

    def versions(self, model: str) -> list[int]:
        """Version numbers of a model on disk, ascending; empty for a model that has none."""
        folder = self.models_folder / model
        if not folder.is_dir():
            return []
        return sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal())

    def version_folder(self, model: str, version: int) -> Path:
        """Where a version lies, whether or not it exists."""
        return self.models_folder / model / str(version)

    def manifest(self, model: str, version: int) -> VersionManifest:
        """The manifest of a version; RepositoryError where it cannot be read."""
        return read_manifest(self.version_folder(model, version))

    def stage(self, model: str) -> Path:
        """A fresh folder to write a version into, on the same file system as the versions."""
        return stage(self._staging, model)

    def add_version(self, model: str, staged: Path) -> int:
        """Moves a written version folder in as the next version, in one rename, and returns its number.

        Raises RepositoryError where the folder does not match its manifest or is another model's.
        """
        manifest = verify(staged)
        if manifest.model != model:
            raise RepositoryError(f"{staged} holds a version of {manifest.model!r}, not of {model!r}")
        for path in (*staged.rglob("*"), staged):
            path.chmod(_FOLDER_MODE if path.is_dir() else _FILE_MODE)
            _sync(path)
        parent = self.models_folder / model
        self._make(parent)
        while True:
            version = max(self.versions(model), default=0) + 1
            try:
                # Renaming onto a folder that another exporter has just filled fails: take the next number.
                staged.rename(parent / str(version))
            except OSError as error:
                if (parent / str(version)).exists():
                    continue
                raise RepositoryError(f"{staged} cannot become version {version}: {error}") from error
            _sync(parent)
            return version

    def verify(self, model: str, version: int) -> VersionManifest:
        """Compares a version with its manifest's checksums; RepositoryError names the file that differs."""
        return verify(self.version_folder(model, version))

    def refuse(self, model: str, version: int) -> Path:
        """Takes a version out of Triton's sight, into `refused/`, and returns where it lies now."""
        refused = self.root / "refused"
        refused.mkdir(parents=True, exist_ok=True)
        target = Path(tempfile.mkdtemp(prefix=f"{model}-{version}-", dir=refused))
        self.version_folder(model, version).rename(target)
        return target

    def refuse_corrupt(self, model: str) -> dict[int, str]:
        """Refuses every version that does not match its manifest; version → reason, one line each."""
        reasons = {}
        for version in self.versions(model):
            try:
                self.verify(model, version)
            except RepositoryError as error:
                reasons[version] = f"{error} (moved to {self.refuse(model, version)})"
        return reasons

    def prune(self, model: str, keep: int, needed: frozenset[int] = frozenset()) -> list[int]:
        """Removes all but the newest `keep` versions, those in `needed` and those pinned.

        What exporters of this machine left that were killed goes too. Returns the versions removed.
        """
        versions = self.versions(model)
        pinned = self.pinned(model)
        if pinned is not None:
            needed |= frozenset(pinned.versions)
        spare = [version for version in versions[: max(0, len(versions) - keep)] if version not in needed]
        for version in spare:
            folder = self.version_folder(model, version)
            # A folder that vanishes file by file would be a torn version: it leaves by one rename first.
            doomed = self.stage(model)
            folder.rename(doomed)
            shutil.rmtree(doomed)
        remove_abandoned(self._staging, model)
        return spare


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with fresh.open("w") as stream:
        stream.write(text)
        os.fchmod(stream.fileno(), _FILE_MODE)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
