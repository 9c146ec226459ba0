"""What the documents say is there is there: files, commands, settings, verbs, routes, and the job changes they show."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from app import build
from bench.documents import rewritten, table
from domain.job_change import JobChange
from listeners.cli.table import VERBS
from services.settings import SLACK_CREDENTIALS, Settings
from store.encryption import Cipher

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
README = (ROOT / "README.md").read_text()
SETTINGS = {setting.name.upper() for setting in fields(Settings)}
NO_DEFAULT = {"none", "required"}


def section(title: str) -> str:
    """What stands below a heading, up to the next one of its level."""
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(title: str) -> Iterator[list[str]]:
    """The cells of a section's table, line by line, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return ([cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:])


def anchor(title: str) -> str:
    """The name by which GitHub links to a heading."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document):
    """A relative link names a file that is there, and a heading where it names one."""
    text = document.read_text()
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"\w+:", link)]

    def leads(link: str) -> bool:
        file, _, heading = link.partition("#")
        target = document.parent / file if file else document
        titles = re.findall(r"(?m)^#+ (.+)$", target.read_text()) if heading else []
        return target.exists() and (not heading or heading in set(map(anchor, titles)))

    assert [link for link in links if not leads(link)] == []


def test_the_readme_leads_to_every_page():
    """What nobody is led to is not read."""
    linked = set(re.findall(r"\]\((docs/[\w-]+\.md)\)", README))

    assert linked == {str(path.relative_to(ROOT)) for path in ROOT.glob("docs/*.md")}


def test_every_make_target_is_one():
    """What a document says to type after make can be made."""
    targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text()))
    named = {target for path in DOCUMENTS for target in re.findall(r"(?m)(?:`|^ *)make ([a-z]+)", path.read_text())}

    assert {"demo", "test", "run"} <= named
    assert named - targets == set()


def test_every_verb_is_explained_and_no_other():
    """The table of verbs is that of the terminal, and no document names a verb that is not in it."""
    verbs = {verb.name for verb in VERBS}
    named = {verb for path in DOCUMENTS for verb in re.findall(r"python app\.py ([a-z][a-z-]*)", path.read_text())}

    assert {cells[0].strip("`") for cells in rows("At the terminal")} == verbs
    assert named - verbs == set()


def test_every_setting_is_explained_with_its_default():
    """The table of settings is what the code reads, and each default is the one it takes."""
    defaults = Settings.from_environ({})
    table = {cells[0].strip("`"): cells[1] for cells in rows("Settings")}

    assert set(table) == SETTINGS
    assert {name for name, default in table.items() if default == "required"} == set(SLACK_CREDENTIALS)
    for name, default in table.items():
        taken = getattr(defaults, name.lower())
        assert default == f"`{taken}`" if taken else default in NO_DEFAULT, name


def test_the_sample_env_file_is_the_defaults():
    """Copying it and filling in nothing changes nothing: it has every setting, and the default as its value."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    sample = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))

    assert set(sample) == SETTINGS
    assert Settings.from_environ(sample) == Settings.from_environ({})


def test_the_figures_are_those_that_were_measured():
    """`python -m bench --readme` writes them there, and nobody by hand."""
    measured = json.loads((ROOT / "bench/results.json").read_text())

    assert rewritten(README, measured) == README


def test_a_figure_is_told_with_its_floor_and_what_it_had_to_reach():
    """A line each, a column a database; who missed it says so."""
    row = {"name": "accept", "unit": "a second", "floor": 4000, "target": "at least 0.6 x floor"}
    measured = [
        row | {"database": "sqlite", "value": 3400.4, "ratio": 0.8501, "holds": True},
        row | {"database": "postgresql", "value": 12.345, "ratio": 0.003, "holds": False},
    ]

    assert table(measured).splitlines()[2:] == [
        "| accept | 3,400 a second (0.85 x floor) | 12.3 a second (0.003 x floor) **missed** | at least 0.6 x floor |"
    ]


async def test_every_route_is_served(tmp_path):
    """A route in the table is one of the app's, with its method."""
    environ = {"DATABASE_URL": f"sqlite:///{tmp_path / 'readme.db'}", **dict.fromkeys(SLACK_CREDENTIALS, "sample")}
    settings = Settings.from_environ(environ, serving=True)
    async with build(settings, Cipher.of([Fernet.generate_key().decode()])) as app:
        served = {(route.method, route.resource.canonical) for route in app.web.router.routes() if route.resource}
    named = re.findall(r"`(GET|POST) (/\S*)`", section("Over HTTP"))

    assert len(named) >= 10
    assert set(named) - served == set()


def test_the_job_changes_that_are_shown_are_accepted():
    """Whoever copies a sample gets no 422."""
    bodies = re.findall(r"(?s)(?:-d |BODY=)'(\{.*?\})'\n", README)

    assert len(bodies) == 2
    assert {JobChange.parse(json.loads(body)).person.name for body in bodies} == {"Ada Smith"}
