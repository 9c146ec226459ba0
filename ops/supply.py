"""The supply chain of the app: its bill of materials, the licenses, and an audit for known vulnerabilities."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements.lock"
LICENSES = ROOT / "docs/licenses.md"
SBOM = ROOT / "sbom.json"
CLASSIFIER = "License :: OSI Approved :: "

_PACKAGE = re.compile(
    r"^([a-z0-9.-]+)==([^ \\]+)((?: ; [^\\\n]+)?)[ \\]*\n((?:    --hash=.*\n)*)((?:    # .*\n)*)", re.MULTILINE
)


@dataclass(frozen=True)
class Package:
    """
    A locked package.

    `marker` names the systems that it is for. `license` is None if it is not installed on this one. `needed_by` has the
    names of packages, or of this project.
    """

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    license: str | None
    needed_by: tuple[str, ...]


def read_packages(lock: Path = LOCK) -> list[Package]:
    return [
        Package(name, version, marker.removeprefix(" ; "), _hashes(hashes), license_of(name), _needed_by(via))
        for name, version, marker, hashes, via in _PACKAGE.findall(lock.read_text())
    ]


def license_of(name: str) -> str | None:
    """The package's SPDX expression, else its classifiers, else the first line of its license. None: not installed."""
    try:
        metadata = distribution(name).metadata.json
    except PackageNotFoundError:
        return None
    expression = metadata.get("license_expression")
    if isinstance(expression, str):
        return expression
    classifiers = [name for name in metadata.get("classifier", []) if name.startswith(CLASSIFIER)]
    if classifiers:
        return ", ".join(name.removeprefix(CLASSIFIER) for name in classifiers)
    return str(metadata.get("license", "")).strip().partition("\n")[0] or None


def bill_of_materials() -> dict[str, Any]:
    """A document of https://cyclonedx.org/docs/1.6/json/, always the same for the same lock file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = read_packages()
    own_ref = f"pkg:pypi/{project['name']}@{project['version']}"
    refs = {project["name"]: own_ref} | {
        package.name: f"pkg:pypi/{package.name}@{package.version}" for package in locked
    }
    graph = [
        {"ref": ref, "dependsOn": sorted(refs[package.name] for package in locked if name in package.needed_by)}
        for name, ref in refs.items()
    ]
    root = {"type": "application", "bom-ref": own_ref, "name": project["name"], "version": project["version"]}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": root | {"licenses": [{"expression": project["license"]}]}},
        "components": [_component(package, refs[package.name]) for package in locked],
        "dependencies": graph,
    }


def licenses() -> str:
    """The text of docs/licenses.md."""
    lines = [
        f"| {package.name} | {package.license or 'not on this system: ' + package.marker} |"
        for package in read_packages()
    ]
    return "\n".join([_HEAD, *lines, ""])


def audit() -> int:
    """Print pip-audit's result for the lock file. 1: advisories apply. 0: none, or pip-audit or its data is missing."""
    program = Path(sys.executable).parent.parent / "audit/bin/pip-audit"  # `make audit` installs it there.
    command = [str(program), "-r", str(LOCK), "--disable-pip", "--format", "json"]
    try:
        completed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)  # noqa: S603
        dependencies = json.loads(completed.stdout)["dependencies"]
        checked = [dependency for dependency in dependencies if "skip_reason" not in dependency]
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired):
        checked = []
    if not checked:
        sys.stdout.write("Nothing was checked: pip-audit or its data is not available here.\n")
        return 0
    advisories = [
        f"{dependency['name']} {dependency['version']}: {advisory['id']}"
        for dependency in checked
        for advisory in dependency["vulns"]
    ]
    sys.stdout.write("\n".join([f"Packages checked: {len(checked)}. Advisories: {len(advisories)}.", *advisories, ""]))
    return 1 if advisories else 0


def _component(package: Package, ref: str) -> dict[str, Any]:
    component: dict[str, Any] = {"type": "library", "bom-ref": ref, "name": package.name}
    component |= {"version": package.version, "purl": ref}
    component["hashes"] = [{"alg": "SHA-256", "content": digest} for digest in package.hashes]
    if package.license:
        component["licenses"] = [{"license": {"name": package.license}}]
    return component


def _hashes(lines: str) -> tuple[str, ...]:
    return tuple(re.findall(r"sha256:([0-9a-f]{64})", lines))


def _needed_by(comments: str) -> tuple[str, ...]:
    """The names that uv writes below each package, after `# via`."""
    return tuple(re.findall(r"#(?: via)? +([a-z0-9.-]+)", comments.replace("# via\n", "")))


_HEAD = """# Licenses

The license of each package that is installed to run the app, as the package declares it. `make sbom` writes this page
from `requirements.lock`.

| package | license |
| --- | --- |"""


def main(command: str) -> int:
    """`command` is "audit", or "sbom", which also writes docs/licenses.md."""
    if command == "audit":
        return audit()
    SBOM.write_text(json.dumps(bill_of_materials(), indent=1) + "\n")
    LICENSES.write_text(licenses())
    sys.stdout.write(f"Wrote {SBOM.name} and {LICENSES.relative_to(ROOT)}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
