"""Write the list of all packages of an installation (SBOM, CycloneDX) and the list of their licences.

    python deploy/sbom.py dist

The packages are those of `requirements.lock`; their metadata come from the Python environment that runs this script. The
script fails for a package of another version than the locked one, and for a licence that `pyproject.toml` does not allow.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from license_expression import ExpressionError, get_spdx_licensing
from packaging.markers import Marker

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
VERSION = "1.6"  # of CycloneDX
_LOCKED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)(?:\s*;\s*(?P<marker>[^\\]+?))?\s*\\?$", re.MULTILINE)
# Old names of licences that mean exactly one licence. "BSD License" and others mean several.
_FAMILIES = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
_spdx = get_spdx_licensing()


class BadList(Exception):
    """The list cannot be made. The message names each package and its problem."""


@dataclass(frozen=True, slots=True)
class Locked:
    """A line of the lock file. ``needed``: an installation on this Python and system has the package."""

    name: str
    version: str
    needed: bool


@dataclass(frozen=True, slots=True)
class Rules:
    """The licences that may run in an installation, and those that somebody read in the packages' own files."""

    allowed: frozenset[str]
    read: dict[str, str]


def normal(name: str) -> str:
    """Return the normal form of a package's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(text: str) -> list[Locked]:
    """Return the packages of a lock file. A package may come twice, for different versions of Python."""
    found = _LOCKED.finditer(text)
    return [Locked(normal(each["name"]), each["version"], _holds(each["marker"])) for each in found]


def _holds(marker: str | None) -> bool:
    return marker is None or Marker(marker).evaluate()


def rules_of(project: str) -> Rules:
    """Return the rules in the text of a `pyproject.toml`."""
    table = tomllib.loads(project)["tool"]["nowserving"]["licences"]
    return Rules(frozenset(table["allowed"]), dict(table["read"]))


def environment() -> dict[str, Any]:
    """Return the list of all packages of this Python environment, as cyclonedx-py makes it."""
    command = [
        "environment",
        "--output-reproducible",
        "--no-validate",
        "--pyproject",
        str(ROOT / "pyproject.toml"),
        "--sv",
        VERSION,
        sys.executable,
    ]
    done = subprocess.run(
        [sys.executable, "-m", "cyclonedx_py", *command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def listed(made: dict[str, Any], packages: list[Locked], rules: Rules) -> tuple[dict[str, Any], dict[Locked, str]]:
    """Return the list ``made`` for the locked packages alone, and the licence of each. Raises `BadList`."""
    by_name = {normal(each["name"]): each for each in made["components"]}
    components, licences, problems = [], {}, []
    for each in packages:
        component = by_name.get(each.name) if each.needed else None
        if each.needed and component is None:
            problems.append(f"{each.name}: locked as {each.version}, and not installed")
            continue
        if component is None:
            reference = f"{each.name}=={each.version}"
            purl = f"pkg:pypi/{each.name}@{each.version}"
            component = {"bom-ref": reference, "type": "library", "name": each.name, "version": each.version, "purl": purl}
            component |= {"scope": "optional"}  # for other systems and versions of Python
        elif component["version"] != each.version:
            problems.append(f"{each.name}: locked as {each.version}, and installed as {component['version']}")
            continue
        licence = rules.read.get(each.name) or declared(component) or declared(by_name.get(each.name, {}))
        problem = "names no single licence" if licence is None else refusal(licence, rules.allowed)
        if licence is None or problem:
            problems.append(f"{each.name}: {problem}")
            continue
        licences[each] = licence
        components.append(component | {"licenses": [{"expression": licence}]})
    if problems:
        raise BadList("\n".join(problems))
    return made | {"components": components, "dependencies": _dependencies(made, components)}, licences


def declared(component: dict[str, Any]) -> str | None:
    """Return the licence that a package's metadata name as an SPDX expression, or None. Several names count together."""
    known, families = [], []
    for each in component.get("licenses", []):
        if "expression" in each:
            known.append(each["expression"])
        elif "id" in each["license"]:
            known.append(each["license"]["id"])
        else:
            families.append(_FAMILIES.get(each["license"]["name"]))
    if not known and None in families:
        return None
    names = sorted(set(known or [each for each in families if each]))
    return names[0] if len(names) == 1 else " AND ".join(f"({each})" for each in names) or None


def refusal(licence: str, allowed: frozenset[str]) -> str | None:
    """Return why a licence is refused, or None. Of alternatives (OR), one allowed licence is enough."""
    try:
        parsed = _spdx.parse(licence, validate=True)
    except ExpressionError:
        return f"{licence} is no SPDX expression"
    return None if _allows(parsed, allowed) else f"{licence} is not allowed"


def _allows(parsed: Any, allowed: frozenset[str]) -> bool:
    if parsed is None or not hasattr(parsed, "operator"):
        return str(parsed) in allowed
    parts = [_allows(each, allowed) for each in parsed.args]
    return any(parts) if parsed.operator.strip() == "OR" else all(parts)


def _dependencies(made: dict[str, Any], components: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the dependencies between the listed packages and from the product to them."""
    kept = {each["bom-ref"] for each in components} | {made["metadata"]["component"]["bom-ref"]}
    known = {each["ref"]: each.get("dependsOn", []) for each in made.get("dependencies", [])}
    return [{"ref": ref, "dependsOn": [each for each in known.get(ref, []) if each in kept]} for ref in sorted(kept)]


def table(licences: dict[Locked, str]) -> str:
    """Return the list of licences as a Markdown table."""
    lines = [f"| {each.name} | {each.version} | {licence} |" for each, licence in licences.items()]
    return "\n".join(["| package | version | licence |", "| --- | --- | --- |", *lines, ""])


def main(folder: Path) -> None:
    """Write ``sbom.cdx.json`` and ``licences.md`` into a folder. A problem ends the process with status 1."""
    rules = rules_of((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    try:
        made, licences = listed(environment(), locked(LOCK.read_text(encoding="utf-8")), rules)
    except BadList as error:
        sys.exit(str(error))
    text = json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False)
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if wrong is not None:
        sys.exit(f"The list is not valid CycloneDX {VERSION}: {wrong}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sbom.cdx.json").write_text(text + "\n", encoding="utf-8")
    (folder / "licences.md").write_text(table(licences), encoding="utf-8")
    print(f"{folder}/sbom.cdx.json and {folder}/licences.md: {len(licences)} packages")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "dist"))
