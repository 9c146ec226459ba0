"""What the app is shipped in: image and replicas are made of what there is, and show nothing that they need not."""

from __future__ import annotations

import re
import shlex
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


def said(instruction: str) -> list[str]:
    """What follows each of these instructions of the Dockerfile, in order."""
    return [rest for name, rest in STEPS if name == instruction]


def last_stage() -> list[tuple[str, str]]:
    first = max(number for number, (name, _) in enumerate(STEPS) if name == "FROM")
    return STEPS[first:]


def test_the_image_is_based_on_a_version_that_the_project_takes():
    """Pinned to a minor version and a small variant; never on what is newest by chance."""
    bases = [base.split()[0] for base in said("FROM")]

    assert all(re.fullmatch(r"python:3\.(1[1-9])-slim(-\w+)?", base) for base in bases)
    assert len(bases) == 2


def test_the_image_runs_as_nobody_much():
    """Not as root, whatever is done last; and what it may write to is a volume."""
    users = [rest for name, rest in last_stage() if name == "USER"]
    names = [name for name, _ in last_stage()]

    assert users == ["usergems"]
    assert set(names[names.index("USER") + 1 :]) <= {"VOLUME", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
    assert said("VOLUME") == ["/data"]


def test_the_image_says_whether_it_is_well():
    """By the route that is there for it, at the port that it is served on."""
    (check,) = said("HEALTHCHECK")
    environ = dict(pair.split("=", 1) for line in said("ENV") for pair in shlex.split(line))

    assert "/healthz" in check
    assert 'os.environ[\\"PORT\\"]' in check
    assert said("EXPOSE") == [environ["PORT"]]
    assert {name for name in environ if name in SETTINGS} == {"HOST", "PORT", "DATABASE_URL"}
    assert environ["DATABASE_URL"] == "sqlite:////data/usergems.db"


def test_the_image_starts_a_verb_of_ours_and_hears_when_it_is_to_stop():
    """Signals reach the process itself: no shell stands in between."""
    (entry,), (command,) = said("ENTRYPOINT"), said("CMD")

    assert yaml.safe_load(entry) == ["python", "app.py"]
    assert yaml.safe_load(command)[0] in {verb.name for verb in VERBS}


def test_the_image_has_no_tools_and_no_secrets_in_it():
    """No cache of pip's, no packages of the system, nothing fetched from elsewhere, and only what is let through."""
    runs = " ".join(said("RUN"))

    assert "--no-cache-dir" in runs
    assert "--require-hashes" in runs
    assert not re.search(r"apt|curl|wget|sudo", runs)
    assert said("ADD") == said("ARG") == []
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"


def test_the_image_holds_what_the_app_imports():
    """What the Dockerfile copies is what .dockerignore lets through, and every package that the app has."""
    copied = [rest for rest in said("COPY") if not rest.startswith("--")]
    names = {name for line in copied for name in line.split()[:-1]}
    let_through = set(re.findall(r"(?m)^!(\S+)$", (ROOT / ".dockerignore").read_text()))
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench", "ops"}

    assert names == let_through
    assert packages | {"app.py", "manifest.json", "requirements.lock"} == names


@pytest.mark.parametrize("name", OURS)
def test_a_replica_runs_a_verb_with_settings_of_ours(name):
    """All of one image, with the same settings; those that must not be guessed have no default."""
    service = SERVICES[name]
    given = service["environment"]

    assert service["command"] == [name]
    assert name in {verb.name for verb in VERBS}
    assert set(given) <= SETTINGS
    assert {"HOST", "DATABASE_URL", "ENCRYPTION_KEYS", "PUBLIC_URL"} <= set(given)
    assert all(":?" in given[setting] for setting in ("DATABASE_URL", "ENCRYPTION_KEYS", "PUBLIC_URL"))
    assert (service["build"], service["env_file"]) == (".", ".env")
    assert int(service["stop_grace_period"].removesuffix("s")) > 10


def test_replicas_wait_for_the_schema_and_are_several():
    """migrate ends before the others begin, and each of these may be more than one."""
    for name in ("web", "worker"):
        waits = SERVICES[name]["depends_on"]
        assert waits["migrate"]["condition"] == "service_completed_successfully"
        assert waits["postgres"]["condition"] == "service_healthy"
        assert SERVICES[name]["deploy"]["replicas"] >= 2
    assert set(SERVICES) == {"postgres", *OURS}


def test_only_this_machine_reaches_the_replicas():
    """A proxy with https stands in front; the database is not published at all."""
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["web"]["ports"])
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["web"]


def test_a_worker_is_asked_how_it_is_where_it_answers():
    """At the port that it is given for it."""
    worker = SERVICES["worker"]

    assert f"127.0.0.1:{worker['environment']['WORKER_PORT']}/healthz" in worker["healthcheck"]["test"][-1]
    assert SERVICES["migrate"]["healthcheck"] == {"disable": True}


def test_the_database_is_of_a_pinned_version_and_keeps_its_data():
    """In a volume that outlives the container."""
    postgres = SERVICES["postgres"]

    assert re.fullmatch(r"postgres:\d+(\.\d+)?(-alpine)?", postgres["image"])
    assert [volume.split(":")[0] for volume in postgres["volumes"]] == list(COMPOSE["volumes"])
    assert ":?" in postgres["environment"]["POSTGRES_PASSWORD"]
