"""The process configuration: one file, one section per room."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from console.settings import ConsoleSettings
from evaluation.sample_rules.registry import SampleRulesSettings
from evaluation.settings import EvaluationSettings
from experiments.configuration import SceneConfiguration
from exporters.settings import ExportSettings
from ingest.settings import IngestSettings
from models.registry import MODELS
from recall.registry import CHANNELS
from registration.registered_sections import RegisteredSections
from router.scenes.components import tables_of
from router.scenes.load import KnownNames, Scenes, load_scenes, read_scenes
from router.scenes.problems import SettingsError, explain
from router.scenes.settings import SceneSettings
from router.scenes.yaml_tree import YamlError, parse
from router.tables.kind import TableKind
from server.settings import RouterSettings, plugins_of
from shopfront.cluster.settings import JobSettings
from shopfront.plugins import load
from shopfront.workspace import Workspace
from triton_repo.settings import TritonSettings
from vision.settings import PictureSettings

WORKSPACE = "${workspace}"
FROZEN = ConfigDict(extra="forbid", frozen=True)


class ModelsSettings(RegisteredSections):
    """The networks: their shapes, samples and training."""

    @classmethod
    def section_types(cls) -> Mapping[str, type[BaseModel]]:
        """One section per registered model."""
        return {name: kind.settings for name, kind in MODELS.items()}


class TritonChoice(BaseModel):
    """Which Triton serves the models."""

    model_config = FROZEN

    url: str = Field(
        "",
        description="host:port of a Triton's gRPC that someone else runs over ${workspace}/triton/models; "
        "empty = start and watch the embedded one.",
    )
    embedded: TritonSettings = TritonSettings()


class Settings(BaseModel):
    """All settings of a workspace. `${workspace}` in a path means the workspace's folder."""

    model_config = FROZEN

    plugins: tuple[str, ...] = Field(
        (),
        description="Modules that register a shop's own parts (models, recall channels, item columns, "
        "filters, scorers, RPC services, …; docs/manual/plugins.md), as dotted names. Every process that "
        "builds, serves or evaluates imports them from the folder the command is run in, PYTHONPATH or "
        "installed packages.",
    )
    seed: int = Field(1, ge=0, description="Seed of cleaning and of recall tables.")
    keep_builds: int = Field(
        3, ge=1, description="Data sets, checkpoints and snapshots kept on disk, newest first; no unit."
    )
    parallel_training: bool = Field(
        True,
        description="Whether models that need nothing of each other are trained at the same time, and tables "
        "of channels that need no model are built and the last layer is prepared meanwhile, each in a "
        "process of its own, as far as there are cores; training one takes up to 1 GB of memory.",
    )
    jobs: JobSettings = JobSettings()
    ingest: IngestSettings = Field(default_factory=IngestSettings)
    pictures: PictureSettings = PictureSettings()
    models: ModelsSettings = Field(default_factory=ModelsSettings)
    samples: SampleRulesSettings = Field(default_factory=SampleRulesSettings)
    export: ExportSettings = ExportSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    triton: TritonChoice = TritonChoice()
    router: RouterSettings = Field(default_factory=RouterSettings)
    console: ConsoleSettings = Field(
        default_factory=ConsoleSettings, description="The operators' pages in a browser, beside the router."
    )


def default_settings() -> Settings:
    """The settings of an empty file, their paths below `${workspace}`."""
    router = RouterSettings()
    return Settings(
        console=ConsoleSettings(audit=Path(f"{WORKSPACE}/logs/console_audit.jsonl")),
        router=router.model_copy(
            update={
                "experiments": Path("config/experiments.yaml"),
                "business_rules": Path(f"{WORKSPACE}/business_rules.json"),
                "snapshots": router.snapshots.model_copy(update={"folder": Path(f"{WORKSPACE}/snapshots")}),
                "state": router.state.model_copy(update={"url": f"lmdb://{WORKSPACE}/state"}),
                "request_log": router.request_log.model_copy(update={"folder": Path(f"{WORKSPACE}/logs")}),
                "rollout": router.rollout.model_copy(
                    update={
                        "url": f"lmdb://{WORKSPACE}/rollouts",
                        "repository": Path(f"{WORKSPACE}/triton"),
                    }
                ),
                "recording": router.recording.model_copy(update={"folder": Path(f"{WORKSPACE}/recordings")}),
                "feature_log": router.feature_log.model_copy(
                    update={"folder": Path(f"{WORKSPACE}/features")}
                ),
                "sandbox": router.sandbox.model_copy(update={"folder": Path(f"{WORKSPACE}/sandbox")}),
                "learning": router.learning.model_copy(update={"folder": Path(f"{WORKSPACE}/learning")}),
                "inspection": router.inspection.model_copy(
                    update={
                        "scene_history": Path(f"{WORKSPACE}/scene_history"),
                        "evaluation": Path(f"{WORKSPACE}/evaluation"),
                        "experiments": Path(f"{WORKSPACE}/experiments"),
                    }
                ),
                "ranking": router.ranking.model_copy(
                    update={
                        "in_replica": router.ranking.in_replica.model_copy(
                            update={"folder": Path(f"{WORKSPACE}/triton/models")}
                        )
                    }
                ),
                "metrics": router.metrics.model_copy(update={"folder": f"{WORKSPACE}/metrics"}),
            }
        ),
    )


def load_settings(path: Path, workspace: Workspace) -> Settings:
    """Read and check a configuration file; keys it leaves out take their defaults.

    The modules that `plugins` names are loaded first, since sections of the settings come from registries.

    A relative `router.scenes` or `experiments` starts at the file's folder's parent, as
    `config/scenes.yaml` does.

    Raises SettingsError naming every key that is wrong by its dotted path, or saying why the file cannot be
    read, and RegistrationError where a plug-in cannot be loaded.
    """
    given = load_plugins_of(path)
    everything = _over(default_settings().model_dump(mode="json"), given)
    try:
        settings = Settings.model_validate(_placed(everything, str(workspace.root.absolute())))
    except ValidationError as error:
        raise SettingsError(str(path), explain(error, Settings, lambda key: key)) from error
    root = path.absolute().parent.parent
    # Joining leaves an absolute path as it is.
    placed: dict[str, Path | None] = {"scenes": root / settings.router.scenes}
    if settings.router.experiments is not None:
        placed["experiments"] = root / settings.router.experiments
    return settings.model_copy(update={"router": settings.router.model_copy(update=placed)})


def load_plugins_of(path: Path) -> dict[str, Any]:
    """Loads the modules that a configuration file names under `plugins`; returns what the file contains.

    Raises SettingsError where it cannot be read, is no mapping or `plugins` no list of modules, and
    RegistrationError where a plug-in cannot be loaded.
    """
    try:
        given = parse(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        problem = f"it cannot be read ({error.strerror}); name the configuration file with --config"
        raise SettingsError(str(path), [problem]) from error
    except (UnicodeDecodeError, YamlError) as error:
        raise SettingsError(str(path), [str(error)]) from error
    if not isinstance(given, dict):
        raise SettingsError(str(path), ["a mapping of sections is expected"])
    load(plugins_of(given, str(path)))
    return given


def main_scene(settings: Settings) -> tuple[str, SceneSettings]:
    """The scene shown and evaluated where none is named: "home" where it is configured, else the first.

    Raises SettingsError where the scene configuration cannot be read.
    """
    with _scene_file_named(settings):
        scenes = load_scenes(settings.router.scenes, KnownNames(CHANNELS))
    name = "home" if "home" in scenes else next(iter(scenes))
    return name, scenes[name]


def configured_scenes(settings: Settings) -> list[tuple[str, SceneSettings]]:
    """(name, settings) of every configured scene, and of every form that arms of experiments give one.

    Raises SettingsError where the scene configuration cannot be read.
    """
    scenes = scene_configuration(settings)
    arms = [
        (name, choice.settings) for name, plan in scenes.plans.items() for choice in plan.choices.values()
    ]
    return [*scenes.by_name.items(), *arms]


def configured_tables(settings: Settings) -> dict[str, TableKind]:
    """The learned tables that configured scenes, arms and page rerankers need, by name.

    Raises SettingsError where the scene configuration cannot be read.
    """
    page = scene_configuration(settings).page
    return tables_of((scene for _, scene in configured_scenes(settings)), page)


def scene_configuration(settings: Settings) -> Scenes:
    """The scenes and the experiments on them. Raises SettingsError where they cannot be read."""
    known = KnownNames(CHANNELS)
    configuration = SceneConfiguration(
        lambda content: read_scenes(content, str(settings.router.scenes), known),
        settings.router.experiments,
        known,
    )
    with _scene_file_named(settings):
        return configuration.load(settings.router.scenes)


@contextmanager
def _scene_file_named(settings: Settings) -> Iterator[None]:
    """Turns an OSError of reading the scene file into one that says which setting names the file."""
    try:
        yield
    except OSError as error:
        problem = (
            f"it cannot be read ({error.strerror}); set router.scenes, where a relative path begins at the "
            "folder above the configuration file's"
        )
        raise SettingsError(str(error.filename or settings.router.scenes), [problem]) from error


def _over(defaults: Any, given: Any) -> Any:
    if isinstance(defaults, dict) and isinstance(given, dict):
        return defaults | {key: _over(defaults.get(key), value) for key, value in given.items()}
    return given


def _placed(tree: Any, workspace: str) -> Any:
    if isinstance(tree, dict):
        return {key: _placed(value, workspace) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_placed(value, workspace) for value in tree]
    return tree.replace(WORKSPACE, workspace) if isinstance(tree, str) else tree
