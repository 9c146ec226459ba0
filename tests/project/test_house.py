"""The project's structure: layers, subjects, purity, sizes, and rules that a machine can check."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

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


MOST_HIDDEN_LINES = 3
Function = ast.FunctionDef | ast.AsyncFunctionDef
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)


def test_no_helper_that_is_called_once_hides_three_plain_lines():
    """The caller contains them, except several statements for a comprehension and coroutines that are not awaited."""
    uses = Counter(name for path in SOURCES for node in ast.walk(parsed(path)) if (name := name_of(node)))

    wrong = [
        f"{path.relative_to(ROOT)}::{helper.name}"
        for path in SOURCES
        for helper in private_functions(path)
        if uses[helper.name] == 1
        and helper.name in called_in(parsed(path), awaited=isinstance(helper, ast.AsyncFunctionDef))
        and length_of(helper) <= MOST_HIDDEN_LINES
        and not (len(statements_of(helper)) > 1 and helper.name in called_in_comprehensions(path))
    ]

    assert wrong == []


def name_of(node: ast.AST) -> str | None:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else None


def private_functions(path: Path) -> list[Function]:
    functions = [node for node in ast.walk(parsed(path)) if isinstance(node, Function)]
    return [function for function in functions if re.match("_[^_]", function.name) and not function.decorator_list]


def statements_of(function: Function) -> list[ast.stmt]:
    return function.body[1:] if ast.get_docstring(function) else function.body


def length_of(function: Function) -> int:
    """The lines of its body without the docstring."""
    first, last = statements_of(function)[0], statements_of(function)[-1]
    return (last.end_lineno or last.lineno) - first.lineno + 1


def called_in(tree: ast.AST, *, awaited: bool = False) -> set[str | None]:
    """The names of the functions that are called there. `awaited` counts only calls that are awaited at once."""
    awaits = [node.value for node in ast.walk(tree) if isinstance(node, ast.Await)]
    return {name_of(node.func) for node in (awaits if awaited else ast.walk(tree)) if isinstance(node, ast.Call)}


@cache
def called_in_comprehensions(path: Path) -> set[str | None]:
    comprehensions = [node for node in ast.walk(parsed(path)) if isinstance(node, COMPREHENSIONS)]
    return {name for comprehension in comprehensions for name in called_in(comprehension)}


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


def test_optional_libraries_are_not_imported_at_start():
    """They cost memory and time: the other database's driver, migrations, Salesforce's client, and traces."""
    optional = {"alembic", "opentelemetry", "psycopg", "requests", "simple_salesforce"}
    script = f"import sys, app, listeners.assembly; print(sorted({optional} & set(sys.modules)))"

    output = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)

    assert output.stdout == "[]\n"


def test_the_architecture_states_the_order_that_is_checked():
    """Its table and ORDER are the same."""
    architecture = (ROOT / "ARCHITECTURE.md").read_text()

    for layer, order in ORDER.items():
        assert f"| `{layer}/` | {', '.join(order)} |" in architecture
