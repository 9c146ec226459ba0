"""Dependencies are pinned, have a reason and a free license, and are in the bill of materials."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ops.supply import LICENSES, bill_of_materials, read_packages

ROOT = Path(__file__).parents[2]
PYPROJECT = (ROOT / "pyproject.toml").read_text()
FREE = re.compile(
    r"\b(MIT|MIT-0|BSD|BSD-[23]-Clause|Apache|Apache-2\.0|ISC|PSF|PSF-2\.0|Python Software Foundation|"
    r"Mozilla Public License 2\.0|MPL-2\.0|LGPL-3\.0-only|Unlicense|0BSD|ZPL|Zlib)\b"
)
"""Licenses under which anyone can run, change and redistribute the app; LGPL and MPL for unmodified packages."""


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock", "requirements-tracing.lock"])
def test_every_dependency_is_locked_with_hashes(lock):
    """Each has an exact version and the hashes of its files, so a replaced file does not install."""
    text = (ROOT / lock).read_text()
    pinned = read_packages(ROOT / lock)

    assert len(pinned) == len(re.findall(r"^[a-z]", text, re.MULTILINE)) > 30
    assert all(package.hashes for package in pinned)


def test_make_installs_only_locked_packages():
    """It installs with --require-hashes and --no-deps."""
    makefile = (ROOT / "Makefile").read_text()

    assert "--no-deps --require-hashes" in makefile
    assert makefile.count("$(PIP_INSTALL) -r requirements") == 2


def test_every_dependency_has_a_reason():
    """The reason is a comment on the line of the dependency."""
    project = tomllib.loads(PYPROJECT)
    extra = project["project"]["optional-dependencies"]["tracing"]
    dependencies = [*project["project"]["dependencies"], *extra, *project["dependency-groups"]["dev"]]
    without_reason = [name for name in dependencies if not re.search(rf'"{re.escape(name)}", +# \S', PYPROJECT)]

    assert len(dependencies) > 20
    assert without_reason == []


def test_every_license_allows_redistribution():
    """An operator needs no license other than those of the list above."""
    wrong = {
        package.name: package.license
        for package in read_packages()
        if package.license and not FREE.search(package.license)
    }

    assert wrong == {}


def test_the_page_of_licenses_lists_every_locked_package():
    """`make sbom` writes it. Licenses of packages for other systems are not compared."""
    listed = dict(re.findall(r"^\| (\S+) \| (.+) \|$", LICENSES.read_text(), re.MULTILINE)[1:])

    assert listed.keys() - {"---"} == {package.name for package in read_packages()}
    installed = {package.name: package.license for package in read_packages() if package.license}
    assert {name: listed[name] for name in installed} == installed


def test_the_bill_of_materials_lists_every_locked_package():
    """Each has hashes and a license, and its dependency graph reaches all of them from the project."""
    bill = bill_of_materials()
    names = {component["name"] for component in bill["components"]}
    graph = {node["ref"]: node["dependsOn"] for node in bill["dependencies"]}
    reached, waiting = set(), [bill["metadata"]["component"]["bom-ref"]]
    while waiting:
        ref = waiting.pop()
        if ref not in reached:
            reached.add(ref)
            waiting += graph[ref]

    assert names == {package.name for package in read_packages()}
    assert all(component["hashes"] for component in bill["components"])
    assert all("licenses" in component for component in bill["components"])
    assert reached == set(graph)


def test_an_audit_without_data_is_not_a_failure():
    """It says that nothing was checked. Only known advisories are a failure."""
    completed = subprocess.run(
        [sys.executable, "-m", "ops.supply", "audit"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "", "no_proxy": "*"},
    )

    assert (completed.returncode, completed.stderr) == (0, "")
    assert re.search(r"Nothing was checked|Advisories: 0", completed.stdout)
