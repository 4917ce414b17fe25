"""What deploy/ holds passes its linters and schemas, and what it mounts is what the router reads."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from router.scenes.problems import SettingsError
from server.ingress.ray_environment import serve_environment
from server.ingress.ray_service import router_settings
from shopfront.settings import Settings, load_settings
from shopfront.workspace import Workspace
from tests.deploy.prometheus_tools import ROOT

DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
OVERLAYS = ["base", "overlays/gpu", "overlays/kuberay"]
KUBERNETES_VERSION = "1.33.0"
# Of operators; their schemas are theirs.
CUSTOM = {"RayService", "ServiceMonitor", "PrometheusRule"}
CONFIGURATIONS = sorted(DEPLOY.rglob("shopfront.yaml"))


def documents(path: Path) -> Iterator[dict[str, Any]]:
    yield from (document for document in yaml.safe_load_all(path.read_text()) if document)


def rendered(overlay: str) -> list[dict[str, Any]]:
    """What `kubectl apply -k` would send."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl, whose kustomize renders the manifests, is not on PATH")
    result = subprocess.run(
        ["kubectl", "kustomize", str(KUBERNETES / overlay)], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    return [document for document in yaml.safe_load_all(result.stdout) if document]


def of_kind(manifests: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    (found,) = [one for one in manifests if one["kind"] == kind and one["metadata"]["name"] == name]
    return found


def pod_specs(manifests: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where, spec) of every pod."""
    for manifest in manifests:
        match manifest["kind"]:
            case "Deployment" | "StatefulSet":
                yield manifest["metadata"]["name"], manifest["spec"]["template"]["spec"]
            case "CronJob":
                yield (
                    manifest["metadata"]["name"],
                    manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"],
                )
            case "RayService":
                cluster = manifest["spec"]["rayClusterConfig"]
                yield "head", cluster["headGroupSpec"]["template"]["spec"]
                for group in cluster["workerGroupSpecs"]:
                    yield group["groupName"], group["template"]["spec"]


def test_yaml_is_tidy() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "yamllint", "--strict", "deploy"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stdout


def test_the_dockerfile_follows_hadolint() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    result = subprocess.run(
        [str(hadolint), "deploy/docker/Dockerfile"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stdout + result.stderr
    lines = (DEPLOY / "docker" / "Dockerfile").read_text().splitlines()
    assert all("@sha256:" in line or ":3.11." in line for line in lines if line.startswith("FROM"))
    assert "USER 10001:10001" in lines


@pytest.mark.parametrize("name", ["compose.yaml", "compose.gpu.yaml"])
def test_compose_files_are_of_the_compose_specification(name: str) -> None:
    compose = yaml.safe_load((DEPLOY / name).read_text())
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text())
    jsonschema.Draft7Validator(schema).validate(compose)
    compose["services"]["triton"]["no-such-key"] = 1
    with pytest.raises(jsonschema.ValidationError, match="no-such-key"):
        jsonschema.Draft7Validator(schema).validate(compose)


def test_compose_mounts_what_is_there_and_opens_this_machine_alone() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    for name, service in compose["services"].items():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists(), f"{name} mounts {source}"
            elif not source.startswith("$"):
                assert source in compose["volumes"], f"{name} mounts {source}"
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        assert set(service.get("depends_on", ())) <= set(compose["services"])
        image, _, tag = service["image"].rpartition(":")
        assert image, f"{name} has an image without a tag"
        assert tag != "latest", f"{name} has an image of no version"
    targets = {
        target
        for job in yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())["scrape_configs"]
        for static in job["static_configs"]
        for target in static["targets"]
    }
    assert {target.split(":")[0] for target in targets} <= set(compose["services"])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_manifests_are_of_kubernetes_schemas(overlay: str) -> None:
    manifests = rendered(overlay)
    checked = 0
    for manifest in manifests:
        if manifest["kind"] not in CUSTOM:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                kubernetes_validate.validate(manifest, KUBERNETES_VERSION, strict=True)
            checked += 1
    assert checked >= 15
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests]
    assert len(set(names)) == len(names)


def test_a_wrong_manifest_is_refused() -> None:
    wrong = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"port": 9000}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES_VERSION, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_are_restricted_bounded_and_mount_what_they_have(overlay: str) -> None:
    for where, spec in pod_specs(rendered(overlay)):
        assert spec["securityContext"]["runAsNonRoot"] is True, where
        assert spec["securityContext"]["runAsUser"] > 0, where
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, where
        assert spec["automountServiceAccountToken"] is False, where
        volumes = {volume["name"] for volume in spec.get("volumes", ())} | (
            {"data"} if where == "redis" else set()
        )
        for container in spec["containers"]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False, where
            assert security["capabilities"] == {"drop": ["ALL"]}, where
            assert container["resources"]["requests"].keys() >= {"cpu", "memory"}, where
            assert "memory" in container["resources"]["limits"], where
            assert not container["image"].endswith(":latest"), where
            assert ":" in container["image"], where
            assert {mount["name"] for mount in container.get("volumeMounts", ())} <= volumes, where


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_services_policies_and_budgets_select_pods_that_exist(overlay: str) -> None:
    manifests = rendered(overlay)
    labels = set()
    for manifest in manifests:
        spec = manifest.get("spec", {})
        if manifest["kind"] in ("Deployment", "StatefulSet"):
            labels.add(spec["template"]["metadata"]["labels"]["app.kubernetes.io/name"])
        if manifest["kind"] == "RayService":
            for group in spec["rayClusterConfig"]["workerGroupSpecs"]:
                labels.add(group["template"]["metadata"]["labels"]["app.kubernetes.io/name"])
    assert labels == {"router", "triton", "redis"}
    for manifest in manifests:
        spec = manifest.get("spec", {})
        match manifest["kind"]:
            case "Service":
                assert spec["selector"]["app.kubernetes.io/name"] in labels
            case "PodDisruptionBudget":
                assert spec["selector"]["matchLabels"]["app.kubernetes.io/name"] in labels
            case "NetworkPolicy" if spec["podSelector"]:
                assert spec["podSelector"]["matchLabels"]["app.kubernetes.io/name"] in labels


def test_the_router_drains_before_it_is_killed() -> None:
    settings = loaded(KUBERNETES / "base" / "config" / "shopfront.yaml").router
    spec = of_kind(rendered("base"), "Deployment", "router")["spec"]["template"]["spec"]
    (router,) = spec["containers"]
    pause_s = int(router["lifecycle"]["preStop"]["exec"]["command"][1])
    drained_s = pause_s + settings.ingress.deregister_s + settings.ingress.drain_s
    assert drained_s < spec["terminationGracePeriodSeconds"]
    port = int(settings.ingress.address.rpartition(":")[2])
    assert router["ports"][0]["containerPort"] == port
    assert router["ports"][1]["containerPort"] == settings.metrics.port
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert router[probe]["grpc"]["port"] == port


def test_gpus_are_asked_for_where_they_are_meant() -> None:
    def limits(overlay: str) -> dict[str, str]:
        triton = of_kind(rendered(overlay), "Deployment", "triton")
        found: dict[str, str] = triton["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
        return found

    assert limits("overlays/gpu")["nvidia.com/gpu"] == "1"
    assert "nvidia.com/gpu" not in limits("base")


def test_the_ray_cluster_has_the_environment_serve_needs() -> None:
    (service,) = [one for one in rendered("overlays/kuberay") if one["kind"] == "RayService"]
    settings, plugins = router_settings(KUBERNETES / "overlays" / "kuberay" / "config" / "shopfront.yaml")
    assert settings.request_log.salt
    needed = serve_environment(settings.ingress, plugins)
    import ray

    assert service["spec"]["rayClusterConfig"]["rayVersion"] == ray.__version__
    for where, spec in pod_specs([service]):
        given = {variable["name"]: variable["value"] for variable in spec["containers"][0]["env"]}
        for name in ("RAY_SERVE_ENABLE_HA_PROXY", "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD"):
            assert given[name] == needed[name], where
    (application,) = yaml.safe_load(service["spec"]["serveConfigV2"])["applications"]
    module, _, name = application["import_path"].partition(":")
    assert callable(getattr(__import__(module, fromlist=[name]), name))


def loaded(path: Path) -> Settings:
    return load_settings(path, Workspace(Path("/var/lib/shopfront")))


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_mounted_configuration_loads_and_names_what_is_mounted(path: Path) -> None:
    settings = loaded(path)
    router = settings.router
    assert router.scenes == Path("/etc/shopfront/config/scenes.yaml")
    assert router.snapshots.folder == Path("/srv/shop/snapshots")
    assert router.ingress.kind == "grpc"
    assert router.ingress.exposed
    assert router.metrics.host == "0.0.0.0"
    assert "${workspace}" not in router.model_dump_json()
    assert settings.triton.url == router.ranking.url == "triton:8001"


def test_there_are_three_configurations() -> None:
    assert len(CONFIGURATIONS) == 3


@pytest.mark.parametrize("name", ["scenes.yaml", "experiments.yaml"])
def test_the_cluster_begins_with_the_projects_scenes(name: str) -> None:
    mounted = KUBERNETES / "base" / "config" / name
    assert mounted.read_text() == (ROOT / "config" / name).read_text(), f"cp config/{name} {mounted}"


def test_a_wrong_configuration_is_named(tmp_path: Path) -> None:
    path = tmp_path / "shopfront.yaml"
    path.write_text("router: {ingress: {replicas: 0}}")
    with pytest.raises(SettingsError, match=r"router\.ingress\.replicas"):
        router_settings(path)


def test_the_operators_rules_are_those_that_are_tested() -> None:
    (rule,) = documents(KUBERNETES / "components" / "monitoring" / "rules.yaml")
    tested = yaml.safe_load((DEPLOY / "prometheus" / "rules.yaml").read_text())
    assert rule["spec"] == tested
    jobs = {
        relabeling["replacement"]
        for monitor in documents(KUBERNETES / "components" / "monitoring" / "monitors.yaml")
        for endpoint in monitor["spec"]["endpoints"]
        for relabeling in endpoint["relabelings"]
    }
    assert jobs == {"shopfront-router", "shopfront-triton"}


def test_the_metrics_sidecar_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "foundation.telemetry.metrics", str(tmp_path), "127.0.0.1", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 0
