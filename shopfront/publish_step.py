"""The last step of a build: the snapshot is served, once its models are."""

from collections.abc import Mapping

from shopfront.settings import Settings
from shopfront.workspace import Workspace
from snapshot.store import SnapshotStore
from triton_repo.control import TritonControl, publish_version
from triton_repo.repository import ModelRepository


def publish(
    workspace: Workspace,
    settings: Settings,
    triton_url: str | None,
    snapshot: str,
    versions: Mapping[str, int],
    repository: ModelRepository,
) -> None:
    """Loads the versions (model → version) into a running Triton and publishes the snapshot of this id.

    triton_url: host:port of its gRPC; None where none runs. Raises the errors of `triton_repo.control`.
    """
    if triton_url is not None:
        with TritonControl(triton_url, settings.triton.embedded.load_timeout_s) as control:
            for model, version in versions.items():
                if not (repository.models_folder / model / "config.pbtxt").is_file():
                    # A model that no scene used when the server started.
                    repository.configure({model: settings.triton.embedded.of_model(model)})
                if version not in control.ready_versions(model):
                    publish_version(control, repository, model, version)
    repository.record_served(versions)
    store = SnapshotStore(workspace.snapshots)
    if store.current_id() != snapshot:
        store.publish(snapshot)
