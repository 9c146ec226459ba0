"""What the documents describe exists: files, make targets, verbs, settings, routes, figures and sample job changes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from app import build
from bench.documents import HEAD, HEAD_WITHOUT_TARGETS, HEADLINES, PERFORMANCE, headlines, table, with_figures
from domain.job_change.model import JobChange
from listeners.cli.table import VERBS
from services.settings import SLACK_CREDENTIALS, Settings
from store.encryption import Cipher
from tests.fuzz.corpus import ROUTES

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
README = (ROOT / "README.md").read_text()
INSTALLING = (ROOT / "docs/install.md").read_text()
OPERATING = (ROOT / "docs/operating.md").read_text()
SETTINGS = {setting.name.upper() for setting in fields(Settings)}
NO_DEFAULT = {"none", "required"}


def section(document: str, title: str) -> str:
    """The text below a heading, up to the next heading of the same level."""
    return document.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(document: str, title: str) -> Iterator[list[str]]:
    """The cells of each row of the section's table, without its head."""
    lines = [line for line in section(document, title).splitlines() if line.startswith("|")]
    return ([cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:])


def anchor(title: str) -> str:
    """The anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_relative_link_resolves(document):
    """It names a file that exists and, after the #, a heading of that file."""
    text = document.read_text()
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"\w+:", link)]

    def resolves(link: str) -> bool:
        file, _, heading = link.partition("#")
        target = document.parent / file if file else document
        titles = re.findall(r"(?m)^#+ (.+)$", target.read_text()) if heading else []
        return target.exists() and (not heading or heading in set(map(anchor, titles)))

    assert [link for link in links if not resolves(link)] == []


def test_the_readme_links_to_every_page():
    """Every page of docs/ is one click away."""
    linked = set(re.findall(r"\]\((docs/[\w-]+\.md)\)", README))

    assert linked == {str(path.relative_to(ROOT)) for path in ROOT.glob("docs/*.md")}


def test_every_make_command_in_the_documents_is_a_target():
    """The Makefile has every target that a document names."""
    targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text()))
    named = {target for path in DOCUMENTS for target in re.findall(r"(?m)(?:`|^ *)make ([a-z]+)", path.read_text())}

    assert {"demo", "test", "run"} <= named
    assert named - targets == set()


def test_the_table_of_commands_is_complete():
    """It lists every verb of the terminal, and no document names any other."""
    verbs = {verb.name for verb in VERBS}
    named = {verb for path in DOCUMENTS for verb in re.findall(r"python app\.py ([a-z][a-z-]*)", path.read_text())}

    assert {cells[0].strip("`") for cells in rows(OPERATING, "Commands")} == verbs
    assert named - verbs == set()


def test_every_setting_is_documented_with_its_default():
    """The table lists every setting that the code reads, with the default that it uses."""
    defaults = Settings.from_environ({})
    documented = {cells[0].strip("`"): cells[1] for cells in rows(INSTALLING, "Settings")}

    assert set(documented) == SETTINGS
    assert {name for name, default in documented.items() if default == "required"} == set(SLACK_CREDENTIALS)
    for name, default in documented.items():
        actual = getattr(defaults, name.lower())
        assert default == f"`{actual}`" if actual else default in NO_DEFAULT, name


def test_every_variable_that_the_settings_read_is_documented():
    """Operators can read about it, and find it in the example."""
    read = set(re.findall(r'"([A-Z]{2,}(?:_[A-Z]+)*)"', (ROOT / "services/settings.py").read_text()))
    example = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))

    assert read - {"DEBUG", "INFO", "WARNING", "ERROR"} == example == SETTINGS


def test_the_sample_env_file_has_every_setting_with_its_default():
    """A copy of it with nothing filled in changes nothing."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    sample = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))

    assert set(sample) == SETTINGS
    assert Settings.from_environ(sample) == Settings.from_environ({})


def test_the_documents_show_the_figures_that_were_measured():
    """`python -m bench --docs` writes every row into docs/performance.md and eight of them into README."""
    results = json.loads((ROOT / "bench/results.json").read_text())
    performance = PERFORMANCE.read_text()

    assert with_figures(performance, HEAD, table(results)) == performance
    assert with_figures(README, HEAD_WITHOUT_TARGETS, headlines(results)) == README
    assert len(set(HEADLINES)) == 8
    assert set(HEADLINES) <= {row["name"] for row in results}


def test_a_figure_is_shown_with_its_baseline_and_its_target():
    """One line per figure and one column per database; a missed target is marked."""
    row = {"name": "accept", "unit": "per second", "baseline": 4000, "target": "at least 0.6 x baseline"}
    results = [
        row | {"database": "sqlite", "value": 3400.4, "ratio": 0.8501, "holds": True},
        row | {"database": "postgresql", "value": 12.345, "ratio": 0.003, "holds": False},
    ]

    (line,) = table(results).splitlines()[2:]
    assert [cell.strip() for cell in line.strip("|").split("|")] == [
        "accept",
        "3,400 per second (0.85 x baseline)",
        "12.3 per second (0.003 x baseline) **missed**",
        "at least 0.6 x baseline",
    ]


async def test_every_route_is_served_documented_and_fuzzed(tmp_path):
    """The app serves every route of the table, with its method; the documents and the fuzzer know every pattern."""
    environ = {
        "PUBLIC_URL": "https://gems.example.com",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'readme.db'}",
        **dict.fromkeys(SLACK_CREDENTIALS, "sample"),
    }
    settings = Settings.from_environ(environ, serving=True)
    async with build(settings, Cipher.of([Fernet.generate_key().decode()])) as app:
        served = {(route.method, route.resource.canonical) for route in app.web.router.routes() if route.resource}
    named = re.findall(r"`(GET|POST) (/\S*)`", section(OPERATING, "HTTP routes"))

    assert len(named) >= 10
    assert set(named) - served == set()
    patterns = {pattern for _, pattern in served}
    assert {
        pattern for pattern in patterns if not any(f" {pattern}`" in path.read_text() for path in DOCUMENTS)
    } == set()
    assert patterns == set(ROUTES)


def test_the_sample_job_changes_are_valid():
    """A reader who copies a sample gets no 422."""
    sending = (ROOT / "docs/sending.md").read_text()
    bodies = [json.loads(body) for body in re.findall(r"(?s)(?:-d |BODY=)'(\{.*?\})'(?:\n| \|)", sending)]
    samples = [sample for body in bodies for sample in body.get("job_changes", [body]) if "signal" in sample]

    assert len(samples) == 5
    assert all(JobChange.parse(sample).person.name for sample in samples)


ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()


LONGEST_WALK = 20


def test_the_walks_of_the_architecture_can_be_followed():
    """Every file that it names exists, and a job change passes at most 20 of them from the door to the post."""
    named = re.findall(r"`([a-z_]+/[a-z_/]+\.py)`", ARCHITECTURE)
    job_change = ARCHITECTURE.partition("## From a sender")[2].partition("## From a press")[0]
    walk = set(re.findall(r"`([a-z_]+/[a-z_/]+\.py)`", job_change))

    assert [name for name in named if not (ROOT / name).exists()] == []
    assert 10 <= len(walk) <= LONGEST_WALK
