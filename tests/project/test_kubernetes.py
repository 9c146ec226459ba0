"""The manifests of ops/kubernetes match the app, the image and each other."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from listeners.cli.running.serving import EXIT_AFTER_SECONDS
from listeners.cli.table import VERBS
from listeners.http import health
from services.settings import VERSION, Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "ops/kubernetes"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
OBJECTS = [item for name in KUSTOMIZATION["resources"] for item in yaml.safe_load_all((FOLDER / name).read_text())]
PODS = {item["metadata"]["name"]: item["spec"]["template"]["spec"] for item in OBJECTS if "template" in item["spec"]}
SERVING = ["usergems-web", "usergems-worker"]
COMPONENT = "app.kubernetes.io/component"


def component_of(kind: str) -> dict[str, str]:
    """The component that each object of a kind selects, by its name."""
    selectors = {item["metadata"]["name"]: item["spec"]["selector"] for item in OBJECTS if item["kind"] == kind}
    return {name: selector.get("matchLabels", selector)[COMPONENT] for name, selector in selectors.items()}


@pytest.mark.parametrize("name", PODS)
def test_a_pod_runs_a_verb_of_the_image_without_privileges(name):
    """It runs as the user of the image, on a read-only file system, and has no access to the cluster."""
    pod, (container,) = PODS[name], PODS[name]["containers"]
    (user,) = re.findall(r"useradd .*--uid (\d+)", (ROOT / "Dockerfile").read_text())

    assert name.removeprefix("usergems-") in {verb.name for verb in VERBS}
    assert container["args"] == [name.removeprefix("usergems-")]
    assert {variable["name"] for variable in container.get("env", [])} <= {
        setting.name.upper() for setting in fields(Settings)
    }
    assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsNonRoot"]) == (int(user), True)
    assert not pod["automountServiceAccountToken"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize("name", SERVING)
def test_probes_request_what_the_app_serves(name):
    """Liveness and start look at the process only: a restart does not fix a database."""
    (container,) = PODS[name]["containers"]
    port, setting = container["ports"][0], "WORKER_PORT" if name == "usergems-worker" else "PORT"
    paths = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}

    assert paths == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}
    assert set(paths.values()) <= {route.path for route in health.routes(*[None] * 6, is_public=True)}
    assert all(container[f"{kind}Probe"]["httpGet"]["port"] == port["name"] for kind in paths)
    assert {variable["name"]: variable["value"] for variable in container["env"]} == {
        "HOST": "0.0.0.0",
        setting: str(port["containerPort"]),
    }
    assert PODS[name]["terminationGracePeriodSeconds"] > EXIT_AFTER_SECONDS


def test_a_drained_node_leaves_replicas():
    """Each deployment has several replicas, and a budget for its own pods that allows one to go."""
    replicas = {item["metadata"]["name"]: item["spec"]["replicas"] for item in OBJECTS if item["kind"] == "Deployment"}
    budgets = [item["spec"] for item in OBJECTS if item["kind"] == "PodDisruptionBudget"]

    assert sorted(replicas) == SERVING
    assert min(replicas.values()) > 1
    assert component_of("PodDisruptionBudget") == component_of("Deployment")
    assert [budget["maxUnavailable"] for budget in budgets] == [1, 1]
    assert component_of("Service") == {"usergems-web": "web"}


def test_the_manifests_can_be_built_with_the_settings_of_the_sample(tmp_path):
    """All files are part of it, with this version of the app; kubectl builds it where it is installed."""
    files = {path.name for path in FOLDER.iterdir()} - {"settings.env"}
    assert {"kustomization.yaml", *KUSTOMIZATION["resources"]} == files
    assert [image["newTag"] for image in KUSTOMIZATION["images"]] == [VERSION]
    assert KUSTOMIZATION["secretGenerator"] == [{"name": "usergems-slack", "envs": ["settings.env"]}]
    assert "settings.env" in (ROOT / ".gitignore").read_text().splitlines()

    if kubectl := shutil.which("kubectl"):
        shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
        shutil.copy(ROOT / ".env.example", tmp_path / "settings.env")
        completed = subprocess.run([kubectl, "kustomize", tmp_path], capture_output=True, text=True, check=False)
        assert completed.returncode == 0, completed.stderr
        built = list(yaml.safe_load_all(completed.stdout))
        (secret,) = [item for item in built if item["kind"] == "Secret"]
        assert set(secret["data"]) == {setting.name.upper() for setting in fields(Settings)}
        assert completed.stdout.count(f"name: {secret['metadata']['name']}") == 1 + len(PODS)
