"""The list of packages and licences (`make sbom`) is whole, and the checks of the supply chain run."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from deploy import sbom

ROOT = Path(__file__).resolve().parents[2]
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
LOCKED = sbom.locked(sbom.LOCK.read_text(encoding="utf-8"))
RULES = sbom.rules_of(PROJECT)
Json = dict[str, Any]


@pytest.fixture(scope="module")
def environment() -> Json:
    return sbom.environment()


def component(name: str, version: str, *licences: Json) -> Json:
    return {"bom-ref": f"{name}=={version}", "type": "library", "name": name, "version": version, "licenses": list(licences)}


def made_of(*components: Json) -> Json:
    return {"metadata": {"component": {"bom-ref": "root"}}, "components": list(components)}


def test_every_locked_package_is_listed(environment: Json) -> None:
    made, licences = sbom.listed(environment, LOCKED, RULES)
    names = re.findall(r"^([A-Za-z0-9._-]+)==", sbom.LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(names) == len(LOCKED) > 50
    assert [sbom.normal(each["name"]) for each in made["components"]] == [sbom.normal(name) for name in names]
    assert set(licences) == set(LOCKED)
    rows = sbom.table(licences)
    assert all(f"| {each.name} | {each.version} | {licences[each]} |" in rows for each in LOCKED)


def test_dependencies_lead_to_listed_packages_alone(environment: Json) -> None:
    made, _ = sbom.listed(environment, LOCKED, RULES)
    known = {each["bom-ref"] for each in made["components"]} | {made["metadata"]["component"]["bom-ref"]}
    assert {each["ref"] for each in made["dependencies"]} == known
    assert {ref for each in made["dependencies"] for ref in each["dependsOn"]} <= known
    assert "bandit" not in {each["name"] for each in made["components"]}  # a tool of the tests


def test_list_is_valid_cyclonedx(environment: Json) -> None:
    few = [each for each in LOCKED if each.name in ("starlette", "uvloop", "async-timeout")]
    assert len(few) == 3
    made, _ = sbom.listed(environment, few, RULES)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(made)) is None


def test_no_package_is_read_without_need(environment: Json) -> None:
    names = {each.name for each in LOCKED}
    assert set(RULES.read) <= names, "the table of read licences names packages that are not locked"


@pytest.mark.parametrize(
    ("licences", "problem"),
    [
        ([], "names no single licence"),
        ([{"license": {"name": "License :: OSI Approved :: BSD License"}}], "names no single licence"),
        ([{"license": {"id": "GPL-3.0-only"}}], "is not allowed"),
        ([{"expression": "MIT AND AGPL-3.0-only"}], "is not allowed"),
        ([{"license": {"id": "MIT"}}, {"license": {"id": "GPL-2.0-only"}}], "is not allowed"),
        ([{"expression": "Free for all"}], "is no SPDX expression"),
    ],
)
def test_unknown_or_refused_licence_stops_the_list(licences: list[Json], problem: str) -> None:
    with pytest.raises(sbom.BadList, match=f"odd: .*{problem}"):
        sbom.listed(made_of(component("odd", "1.0", *licences)), [sbom.Locked("odd", "1.0", needed=True)], RULES)


@pytest.mark.parametrize(
    ("licences", "read"),
    [
        ([{"expression": "MIT OR GPL-3.0-only"}], "MIT OR GPL-3.0-only"),
        ([{"license": {"name": "License :: OSI Approved :: Apache Software License"}}], "Apache-2.0"),
        ([{"license": {"id": "ISC"}}, {"license": {"name": "License :: OSI Approved :: BSD License"}}], "ISC"),
    ],
)
def test_allowed_licence_is_listed(licences: list[Json], read: str) -> None:
    locked = sbom.Locked("fine", "1.0", needed=True)
    _, found = sbom.listed(made_of(component("fine", "1.0", *licences)), [locked], RULES)
    assert found == {locked: read}


def test_package_that_is_missing_or_of_another_version_stops_the_list() -> None:
    packages = [sbom.Locked("old", "2.0", needed=True), sbom.Locked("missing", "1.0", needed=True)]
    with pytest.raises(sbom.BadList) as caught:
        sbom.listed(made_of(component("old", "1.0", {"license": {"id": "MIT"}})), packages, RULES)
    assert str(caught.value).splitlines() == [
        "old: locked as 2.0, and installed as 1.0",
        "missing: locked as 1.0, and not installed",
    ]


def commands(target: str) -> str:
    """Return the commands of a target of the Makefile, and of the targets that it needs."""
    done = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", target],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return done.stdout


def test_check_searches_the_whole_program_for_weak_code() -> None:
    assert "bandit -q -c pyproject.toml -r server workers" in commands("check")
    assert tomllib.loads(PROJECT)["tool"]["bandit"] == {"skips": ["B101"]}


def test_every_exception_of_the_search_has_a_number_and_a_reason() -> None:
    found = 0
    for path in [*(ROOT / "server").rglob("*.py"), *(ROOT / "workers").rglob("*.py")]:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if "nosec" in line:
                assert re.search(r"# nosec B\d{3} # \w.{4,}$", line), f"{path}:{number}"
                found += 1
    assert found


def test_audit_counts_an_unknown_package_as_a_failure_and_runs_where_the_internet_is() -> None:
    lines = [line for line in commands("audit").splitlines() if "pip-audit " in line]
    assert [line.split()[-1] for line in lines] == ["requirements.lock", "requirements-dev.lock"]
    assert all("--strict" in line and "--require-hashes" in line for line in lines)
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]
    runs = [step.get("run") for job in jobs.values() for step in job["steps"]]
    assert {"make audit", "make sbom", ".ci/run"} <= set(runs)
