"""Each unit test lies where its module lies: a reader of a module finds the tests by the path alone."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "tests" / "unit"
TESTS = sorted(UNIT.rglob("test_*.py"))

# Tests that no single module owns, by file name, each with the reason.
EXCEPTIONS = {
    "test_browser_view.py": "compares web/js/live with the messages of the server",
    "test_docs.py": "reads the documentation",
    "test_extent.py": "runs tests/support/extent.py",
    "test_free_ports.py": "runs tests/support/processes.py",
    "test_mirror.py": "reads the tree",
    "test_mysql_accounts.py": "a property of the installed driver",
    "test_page_facts.py": "compares facts in web/ with the domain",
    "test_plain_words.py": "reads all public texts",
    "test_security_docs.py": "reads the pages about security",
    "test_words.py": "compares the page texts with the refusals of the API",
}


def candidates(test: Path) -> list[Path]:
    """Return the module and the package that a test file may mirror, in `server` or in `workers`."""
    relative = test.relative_to(UNIT)
    name = relative.name.removeprefix("test_").removesuffix(".py")
    home = ROOT / relative.parent if relative.parts[0] == "workers" else ROOT / "server" / relative.parent
    return [home / f"{name}.py", home / name / "__init__.py"]


def mirrored(test: Path) -> bool:
    return any(path.is_file() for path in candidates(test))


@pytest.mark.parametrize("test", TESTS, ids=lambda test: str(test.relative_to(UNIT)))
def test_mirrors_a_module_or_is_a_named_exception(test: Path) -> None:
    if test.name in EXCEPTIONS:
        return
    expected = " or ".join(str(path.relative_to(ROOT)) for path in candidates(test))
    assert mirrored(test), f"{test.relative_to(ROOT)} has no module {expected}: move the test, or name it in EXCEPTIONS"


@pytest.mark.parametrize("name", sorted(EXCEPTIONS))
def test_exception_names_an_existing_test_without_a_module(name: str) -> None:
    found = [test for test in TESTS if test.name == name]
    assert found, f"there is no test {name}: remove the exception"
    assert any(not mirrored(test) for test in found), f"{name} mirrors a module now: remove the exception"
