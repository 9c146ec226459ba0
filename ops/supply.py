"""What we are made of: a bill of materials, the licences, and what is known to be wrong with it."""

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
LICENCES = ROOT / "docs/licences.md"
SBOM = ROOT / "sbom.json"
CLASSIFIER = "License :: OSI Approved :: "

_PACKAGE = re.compile(
    r"^([a-z0-9.-]+)==([^ \\]+)((?: ; [^\\\n]+)?)[ \\]*\n((?:    --hash=.*\n)*)((?:    # .*\n)*)", re.MULTILINE
)


@dataclass(frozen=True)
class Package:
    """
    One that is locked. *needed_by*: packages, or we ourselves.

    *licence* None: it is not for this system, so nobody here can tell; *marker*: for which.
    """

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    licence: str | None
    needed_by: tuple[str, ...]


def packages(lock: Path = LOCK) -> list[Package]:
    """What a lock file pins, by name."""
    return [
        Package(name, version, marker.removeprefix(" ; "), _hashes(hashes), licence_of(name), _needed_by(via))
        for name, version, marker, hashes, via in _PACKAGE.findall(lock.read_text())
    ]


def licence_of(name: str) -> str | None:
    """As the package says it: an SPDX expression, else its classifiers, else the first words of its own."""
    try:
        said = distribution(name).metadata.json
    except PackageNotFoundError:
        return None
    expression = said.get("license_expression")
    if isinstance(expression, str):
        return expression
    classified = [each.removeprefix(CLASSIFIER) for each in said.get("classifier", []) if each.startswith(CLASSIFIER)]
    return ", ".join(classified) or str(said.get("license", "")).strip().partition("\n")[0] or None


def bill_of_materials() -> dict[str, Any]:
    """https://cyclonedx.org/docs/1.6/json/ - the same each time, for the same lock file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = packages()
    ours = f"pkg:pypi/{project['name']}@{project['version']}"
    refs = {project["name"]: ours} | {one.name: f"pkg:pypi/{one.name}@{one.version}" for one in locked}
    graph = [
        {"ref": ref, "dependsOn": sorted(refs[one.name] for one in locked if name in one.needed_by)}
        for name, ref in refs.items()
    ]
    root = {"type": "application", "bom-ref": ours, "name": project["name"], "version": project["version"]}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": root | {"licenses": [{"expression": project["license"]}]}},
        "components": [_component(package, refs[package.name]) for package in locked],
        "dependencies": graph,
    }


def licences() -> str:
    """docs/licences.md."""
    lines = [f"| {one.name} | {one.licence or 'not on this system: ' + one.marker} |" for one in packages()]
    return "\n".join([_HEAD, *lines, ""])


def audit() -> int:
    """What pip-audit says of the lock file: 1 when something is known to be wrong, 0 also when nobody can be asked."""
    program = Path(sys.executable).parent.parent / "audit/bin/pip-audit"  # where `make audit` installs it
    asked = [str(program), "-r", str(LOCK), "--disable-pip", "--format", "json"]
    try:
        answer = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=300)  # noqa: S603
        checked = [one for one in json.loads(answer.stdout)["dependencies"] if "skip_reason" not in one]
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired):
        checked = []
    if not checked:
        return _say("pip-audit, or its data, cannot be had here: nothing was checked.")
    wrong = [f"{one['name']} {one['version']}: {bad['id']}" for one in checked for bad in one["vulns"]]
    _say("\n".join([f"{len(checked)} packages were checked, {len(wrong)} advisories apply.", *wrong]))
    return 1 if wrong else 0


def _say(text: str) -> int:
    sys.stdout.write(f"{text}\n")
    return 0


def _component(package: Package, ref: str) -> dict[str, Any]:
    known = {"type": "library", "bom-ref": ref, "name": package.name, "version": package.version, "purl": ref}
    known["hashes"] = [{"alg": "SHA-256", "content": each} for each in package.hashes]
    if package.licence:
        known["licenses"] = [{"license": {"name": package.licence}}]
    return known


def _hashes(lines: str) -> tuple[str, ...]:
    return tuple(re.findall(r"sha256:([0-9a-f]{64})", lines))


def _needed_by(comments: str) -> tuple[str, ...]:
    """What uv writes below each: `# via` and the names, one or more."""
    return tuple(re.findall(r"#(?: via)? +([a-z0-9.-]+)", comments.replace("# via\n", "")))


_HEAD = """# Licences

Of what is installed to run the app, as each package says it. Written by `make sbom`, from `requirements.lock`.

| package | licence |
| --- | --- |"""


def main(what: str) -> int:
    """*what*: sbom, which writes the licences too, or audit."""
    if what == "audit":
        return audit()
    SBOM.write_text(json.dumps(bill_of_materials(), indent=1) + "\n")
    LICENCES.write_text(licences())
    return _say(f"{SBOM.name} and {LICENCES.relative_to(ROOT)} are written.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
