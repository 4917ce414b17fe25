"""How the embedded server is told to run its models."""

from triton_repo.settings import ModelSettings, TritonSettings


def test_a_model_runs_as_configured_else_by_default() -> None:
    settings = TritonSettings(models={"prerank": ModelSettings(instances=3)})
    assert settings.of_model("prerank").instances == 3
    assert settings.of_model("mind") == ModelSettings()
