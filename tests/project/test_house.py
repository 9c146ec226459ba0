"""The project's structure: layers, subjects, purity, sizes, and rules that a machine can check."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from app import build
from listeners.cli.table import VERBS
from services.settings import Settings
from store.encryption import Cipher
from tests.fuzz.corpus import ROUTES

ROOT = Path(__file__).parents[2]
LAYERS = ["domain", "store", "services", "listeners"]  # each may import itself and those before it
SOURCES = [path for layer in [*LAYERS, "sandbox"] for path in sorted((ROOT / layer).rglob("*.py"))] + [ROOT / "app.py"]
EDGES = {
    "services/delivery/worker.py",  # a bug must not lose a job change
    "listeners/http/server.py",  # a bug must not be shown to a stranger
}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imported(path: Path) -> set[str]:
    """The top-level names of everything that a module imports."""
    names = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
    return names


ORDER = {
    "store": ["delivery", "messages", "home", "salesforce", "slack", "intake", "ownership", "operations"],
    "services": ["slack", "salesforce", "intake", "ownership", "messages", "operations", "delivery", "home"],
    "listeners": [
        *["dialogs", "pages", "slack", "messages", "ownership", "http", "intake", "salesforce", "status", "home", "cli"]
    ],
}
"""The subjects inside each layer, lowest first: each may import itself, those before it and the layer's own files."""
SUBJECTS = {"intake", "ownership", "delivery", "messages", "home", "slack", "salesforce", "operations"}
KITS = {"dialogs", "pages", "status", "cli", "http"}
"""Folders of listeners/ that are not subjects: parts of dialogs and pages, slash command, terminal and server."""
FLOOR = {"sqlalchemy", "aiohttp", "slack_sdk", "slack_bolt", "simple_salesforce"}
"""Libraries that nothing pure reaches, not even through what it imports."""


def modules_imported(path: Path) -> Iterator[str]:
    """The dotted names of the modules that a module imports."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else node.module for name in names)


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {dotted(path): path for path in SOURCES}


def test_every_layer_has_the_same_subjects():
    """A newcomer who knows the subject knows the folder."""
    folders = {layer: set(ORDER[layer]) for layer in ORDER}

    assert {layer: folders[layer] - SUBJECTS for layer in ORDER} == {
        "store": set(),
        "services": set(),
        "listeners": KITS,
    }
    for layer, names in folders.items():
        there = {path.parent.name for path in (ROOT / layer).glob("*/__init__.py")}
        assert there - {"migrations", "schema"} == names


@pytest.mark.parametrize("layer", ORDER)
def test_imports_between_subjects_run_one_way(layer):
    """In the order of ORDER, which ARCHITECTURE.md explains."""
    order = ORDER[layer]

    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for number, subject in enumerate(order)
        for path in sorted((ROOT / layer / subject).rglob("*.py"))
        for module in modules_imported(path)
        if module.split(".")[0] == layer and [*module.split("."), ""][1] in order[number + 1 :]
    ]

    assert wrong == []


def test_no_folder_is_crowded_or_holds_a_single_file():
    """From 2 to 14 entries; `__init__.py` is not counted."""
    folders = {
        path.parent
        for layer in [*LAYERS, "sandbox", "tests"]
        for path in (ROOT / layer).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and "golden" not in path.parts
    }
    entries = {
        str(folder.relative_to(ROOT)): len({path for path in folder.iterdir() if path.name not in NO_ENTRIES})
        for folder in folders
        if "versions" not in folder.parts
    }

    assert {name: count for name, count in entries.items() if not 2 <= count <= 14} == {}


NO_ENTRIES = {"__init__.py", "__pycache__"}
LONGEST_FILE = 320


def test_files_can_be_read_in_one_sitting():
    """A longer file has a seam along which it can be split."""
    files = [path for path in SOURCES if "versions" not in path.parts]
    lines = {str(path.relative_to(ROOT)): path.read_text().count("\n") for path in files}

    assert {name: count for name, count in lines.items() if count > LONGEST_FILE} == {}


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_point_down(layer):
    """app → listeners → services → store, and never back."""
    forbidden = {"app", *LAYERS[LAYERS.index(layer) + 1 :]}

    wrong = [str(path) for path in sorted((ROOT / layer).rglob("*.py")) if imported(path) & forbidden]

    assert wrong == []


def test_the_sandbox_imports_nothing_of_the_app():
    """It stands in for the vendors, so it must not share the app's mistakes."""
    wrong = [str(path) for path in sorted((ROOT / "sandbox").rglob("*.py")) if imported(path) & {"app", *LAYERS}]

    assert wrong == []


def test_only_app_reads_the_environment():
    """Settings are passed in as a value."""
    wrong = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if path.name != "app.py"
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute)
        and node.attr in {"environ", "getenv"}
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    ]

    assert wrong == []


def test_only_the_edges_catch_every_exception():
    """Elsewhere an error is translated, or it is a bug that must be visible."""

    def is_broad(node):
        return isinstance(node, ast.ExceptHandler) and getattr(node.type, "id", None) in {
            None,
            "Exception",
            "BaseException",
        }

    wrong = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        for node in ast.walk(parsed(path))
        if is_broad(node) and not (isinstance(node.type, ast.Tuple | ast.Attribute))
    }

    assert wrong <= EDGES


def test_the_app_imports_only_what_requirements_lock_installs():
    """`make demo` and the image install nothing else."""
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    ours = {"app", "sandbox", *LAYERS, "__future__", *sys.stdlib_module_names}
    distributions = packages_distributions()

    missing = {
        name
        for path in SOURCES
        if path.name != "open_telemetry.py"  # it needs the extra `tracing`
        for name in imported(path) - ours
        if not {package.lower().replace("_", "-") for package in distributions.get(name, [])} & locked
    }

    assert missing == set()


def test_every_module_says_what_belongs_in_it():
    """In a sentence on its first line."""
    wrong = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if path.read_text().strip() and "versions" not in path.parts and not ast.get_docstring(parsed(path))
    ]

    assert wrong == []


def test_pure_modules_are_pure_all_the_way_down():
    """
    A module marked "Pure." imports nothing that reads a clock, a network, a database or random numbers.

    Whatever it imports from this project reaches no database, HTTP client or SDK either.
    """
    outside = {"requests", "asyncio", "time", "random", "os", "socket", *FLOOR}
    pure = [path for path in SOURCES if "Pure." in (ast.get_docstring(parsed(path)) or "").partition("\n\n")[0]]

    assert len(pure) > 80
    assert [str(path.relative_to(ROOT)) for path in pure if imported(path) & outside] == []
    assert {dotted(path): reached for path in pure if (reached := libraries_reached(path) & FLOOR)} == {}


def libraries_reached(path: Path) -> set[str]:
    """The top-level names of everything that a module imports, directly or through other modules of the project."""
    reached, waiting = set(), [dotted(path)]
    while waiting:
        module = waiting.pop()
        if module not in reached:
            reached.add(module)
            waiting += modules_imported(MODULES[module]) if module in MODULES else []
    return {module.split(".")[0] for module in reached}


def test_domain_is_pure():
    """It holds the types that every subject shares, so it imports nothing of the project and no SDK."""
    wrong = [str(path) for path in (ROOT / "domain").glob("*.py") if not is_ground(path)]

    assert wrong == []


def is_ground(path: Path) -> bool:
    return "Pure" in (ast.get_docstring(parsed(path)) or "") or path.name == "errors.py"


DOCS = "\n".join(path.read_text() for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))])


def test_every_setting_is_in_the_docs_and_in_the_example():
    """Operators can read about every setting that the app reads."""
    read = set(re.findall(r'"([A-Z]{2,}(?:_[A-Z]+)*)"', (ROOT / "services/settings.py").read_text())) - {
        "INFO",
        "DEBUG",
    }
    settings = {name for name in read if name not in {"WARNING", "ERROR"}}
    example = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))

    assert len(settings) > 15
    assert settings == example
    assert {name for name in settings if f"`{name}`" not in DOCS} == set()


def test_every_verb_is_in_the_docs():
    """Under the name that is typed."""
    assert [verb.name for verb in VERBS if f"`{verb.name}`" not in DOCS] == []


async def test_every_route_is_documented_and_fuzzed(tmp_path):
    """By its pattern, so that no route is forgotten."""
    environ = dict.fromkeys(("SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET", "SLACK_SIGNING_SECRET"), "sample")
    settings = Settings.from_environ(environ | {"DATABASE_URL": f"sqlite:///{tmp_path}/none.db"})
    async with build(settings, Cipher.of([Fernet.generate_key().decode()])) as app:
        routes = {resource.canonical for resource in app.web.router.resources()}

    assert len(routes) > 12
    assert {route for route in routes if f" {route}`" not in DOCS} == set()
    assert routes == set(ROUTES)


def test_optional_libraries_are_not_imported_at_start():
    """They cost memory and time: the other database's driver, migrations, Salesforce's client, and traces."""
    optional = {"alembic", "opentelemetry", "psycopg", "requests", "simple_salesforce"}
    script = f"import sys, app, listeners.assembly; print(sorted({optional} & set(sys.modules)))"

    output = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)

    assert output.stdout == "[]\n"


def test_no_test_is_without_an_assertion():
    """Assertions in the tests' helpers count."""
    defined = [
        (path, node)
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    helpers: set[str] = set()
    for _ in range(3):  # helpers that call helpers
        helpers |= {node.name for _, node in defined if not node.name.startswith("test_") and asserts(node, helpers)}

    wrong = [
        f"{path.relative_to(ROOT)}::{node.name}"
        for path, node in defined
        if node.name.startswith("test_") and not asserts(node, helpers)
    ]

    assert wrong == []


def asserts(function: ast.AST, helpers: set[str]) -> bool:
    return any(
        isinstance(part, ast.Assert)
        or (isinstance(part, ast.Attribute) and part.attr in {"raises", "fail", *helpers})
        or (isinstance(part, ast.Name) and (part.id in helpers or part.id == "expect"))
        for part in ast.walk(function)
    )


def test_every_test_states_its_rule():
    """In its docstring."""
    wrong = [
        f"{path.relative_to(ROOT)}::{node.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in parsed(path).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]

    assert wrong == []


ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
LONGEST_WALK = 20


def test_the_walks_of_the_architecture_can_be_followed():
    """Every file that it names exists, and a job change passes at most 20 of them from the door to the post."""
    named = re.findall(r"`([a-z_]+/[a-z_/]+\.py)`", ARCHITECTURE)
    job_change = ARCHITECTURE.partition("## From a sender")[2].partition("## From a press")[0]
    walk = set(re.findall(r"`([a-z_]+/[a-z_/]+\.py)`", job_change))

    assert [name for name in named if not (ROOT / name).exists()] == []
    assert 10 <= len(walk) <= LONGEST_WALK


def test_the_architecture_states_the_order_that_is_checked():
    """Its table and ORDER are the same."""
    for layer, order in ORDER.items():
        assert f"| `{layer}/` | {', '.join(order)} |" in ARCHITECTURE
