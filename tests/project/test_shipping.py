"""The Dockerfile and compose.yaml match the app, and expose nothing that they need not."""

from __future__ import annotations

import re
import shlex
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from listeners.cli.table import VERBS
from services.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
OURS = ("migrate", "web", "worker")
LINES = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text()).splitlines()
STEPS = [tuple(line.split(maxsplit=1)) for line in LINES if line and not line.startswith("#")]
SETTINGS = {setting.name.upper() for setting in fields(Settings)}


def arguments(instruction: str) -> list[str]:
    """The arguments of each such instruction of the Dockerfile, in order."""
    return [rest for name, rest in STEPS if name == instruction]


def last_stage() -> list[tuple[str, str]]:
    first = max(number for number, (name, _) in enumerate(STEPS) if name == "FROM")
    return STEPS[first:]


def test_the_image_is_based_on_a_pinned_python():
    """Both stages use a slim image of a supported minor version."""
    bases = [base.split()[0] for base in arguments("FROM")]

    assert all(re.fullmatch(r"python:3\.(1[1-9])-slim(-\w+)?@\S+", base) for base in bases)
    assert len(bases) == 2


def test_the_app_is_not_built_as_a_package():
    """A wheel would fill an environment with modules called app, store and services; the checkout and the image run."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())

    assert "build-system" not in project
    assert "setuptools" not in project["tool"]
    assert "scripts" not in project["project"]


def test_images_are_pinned_by_digest():
    """A tag can be moved to another image."""
    bases = [base.split()[0] for base in arguments("FROM")]
    images = {service["image"] for service in SERVICES.values()} - {"usergems-slack"}

    assert images
    assert all(re.fullmatch(r"[^@]+@sha256:[0-9a-f]{64}", image) for image in {*bases, *images})


def test_the_image_does_not_run_as_root():
    """It runs as its own user, and writes only to a volume."""
    users = [rest for name, rest in last_stage() if name == "USER"]
    names = [name for name, _ in last_stage()]

    assert users == ["usergems"]
    assert set(names[names.index("USER") + 1 :]) <= {"VOLUME", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
    assert arguments("VOLUME") == ["/data"]


def test_the_image_has_a_health_check():
    """It requests /healthz on the port that the app listens on."""
    (check,) = arguments("HEALTHCHECK")
    environ = dict(pair.split("=", 1) for line in arguments("ENV") for pair in shlex.split(line))

    assert "/healthz" in check
    assert 'os.environ[\\"PORT\\"]' in check
    assert arguments("EXPOSE") == [environ["PORT"]]
    assert {name for name in environ if name in SETTINGS} == {"HOST", "PORT", "DATABASE_URL"}
    assert environ["DATABASE_URL"] == "sqlite:////data/usergems.db"


def test_the_image_starts_the_app_without_a_shell():
    """Signals reach the app itself, and the command is one of its verbs."""
    (entry,), (command,) = arguments("ENTRYPOINT"), arguments("CMD")

    assert yaml.safe_load(entry) == ["python", "app.py"]
    assert yaml.safe_load(command)[0] in {verb.name for verb in VERBS}


def test_the_image_has_no_tools_and_no_secrets():
    """No pip cache, no system packages, no downloads, and only files that .dockerignore allows."""
    runs = " ".join(arguments("RUN"))

    assert "--no-cache-dir" in runs
    assert "--require-hashes" in runs
    assert not re.search(r"apt|curl|wget|sudo", runs)
    assert arguments("ADD") == arguments("ARG") == []
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"


def test_the_image_has_every_package_of_the_app():
    """The Dockerfile copies exactly what .dockerignore allows."""
    copied = [rest for rest in arguments("COPY") if not rest.startswith("--")]
    names = {name for line in copied for name in line.split()[:-1]}
    allowed = set(re.findall(r"(?m)^!(\S+)$", (ROOT / ".dockerignore").read_text()))
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench", "ops"}

    assert names == allowed
    assert packages | {"app.py", "manifest.json", "requirements.lock"} == names


@pytest.mark.parametrize("name", OURS)
def test_a_replica_runs_a_verb_of_the_app(name):
    """All replicas use one image and existing settings. Settings that cannot have a default are required."""
    service = SERVICES[name]
    environment = service["environment"]

    assert service["command"] == [name]
    assert name in {verb.name for verb in VERBS}
    assert set(environment) <= SETTINGS
    assert {"HOST", "DATABASE_URL", "ENCRYPTION_KEYS", "PUBLIC_URL"} <= set(environment)
    assert all(":?" in environment[setting] for setting in ("DATABASE_URL", "ENCRYPTION_KEYS", "PUBLIC_URL"))
    assert (service["build"], service["env_file"]) == (".", ".env")
    assert int(service["stop_grace_period"].removesuffix("s")) > 10


@pytest.mark.parametrize("name", OURS)
def test_a_replica_cannot_change_its_image_or_fill_the_disk(name):
    """It has no privileges, writes to memory only, restarts when it ends, and keeps a limited log."""
    service = SERVICES[name]

    assert (service["read_only"], service["tmpfs"], service["cap_drop"]) == (True, ["/tmp"], ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == ("on-failure" if name == "migrate" else "unless-stopped")
    assert all({"max-size", "max-file"} <= set(each["logging"]["options"]) for each in SERVICES.values())


def test_the_image_can_be_built_from_a_checkout_with_a_strict_umask():
    """Its user can read all files, and change none."""
    steps = last_stage()

    assert ("RUN", "chmod -R a+rX,go-w /app") in steps
    assert steps.index(("RUN", "chmod -R a+rX,go-w /app")) > max(
        number for number, (name, _) in enumerate(steps) if name == "COPY"
    )


def test_replicas_wait_for_the_migration():
    """`migrate` ends before web and worker start, and there are several of each."""
    for name in ("web", "worker"):
        depends_on = SERVICES[name]["depends_on"]
        assert depends_on["migrate"]["condition"] == "service_completed_successfully"
        assert depends_on["postgres"]["condition"] == "service_healthy"
        assert SERVICES[name]["deploy"]["replicas"] >= 2
    assert set(SERVICES) == {"postgres", *OURS}


def test_the_replicas_listen_on_loopback_only():
    """A proxy with https is in front of them. The database publishes no port."""
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["web"]["ports"])
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["web"]


def test_the_worker_health_check_uses_its_port():
    """It requests /healthz on WORKER_PORT."""
    worker = SERVICES["worker"]

    assert f"127.0.0.1:{worker['environment']['WORKER_PORT']}/healthz" in worker["healthcheck"]["test"][-1]
    assert SERVICES["migrate"]["healthcheck"] == {"disable": True}


def test_the_database_has_a_pinned_version_and_a_volume():
    """Its data outlives the container."""
    postgres = SERVICES["postgres"]

    assert re.fullmatch(r"postgres:\d+(\.\d+)?(-alpine)?@\S+", postgres["image"])
    assert [volume.split(":")[0] for volume in postgres["volumes"]] == list(COMPOSE["volumes"])
    assert ":?" in postgres["environment"]["POSTGRES_PASSWORD"]


WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / ".github/workflows").glob("*.yml")}


def test_the_tests_run_on_every_supported_python_and_on_that_of_the_image():
    """From the oldest one that pyproject.toml allows."""
    job = WORKFLOWS["test"]["jobs"]["test"]
    pythons = job["strategy"]["matrix"]["python"]
    (image,) = {re.search(r"python:(\d+\.\d+)", base)[1] for base in arguments("FROM")}

    assert [step["run"] for step in job["steps"] if "run" in step] == ["make test"]
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"] == f">={pythons[0]}"
    assert image in pythons


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_reads_only_and_uses_pinned_actions(name):
    """A tag can be moved to other code, and a token that can write could change the repository."""
    steps = [step for job in WORKFLOWS[name]["jobs"].values() for step in job["steps"]]

    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"]) for step in steps if "uses" in step)
