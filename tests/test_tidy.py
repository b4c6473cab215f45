"""Rules of the house that are worth having, as tests."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = (
    "contracts",
    "edge_agent",
    "stream_processors",
    "ledger_sink",
    "firmware_sim",
    "grafana",
    "tallygate",
    "benchmarks",
)
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
IMPURE = {
    "asyncio",
    "datetime",
    "os",
    "random",
    "select",
    "signal",
    "socket",
    "subprocess",
    "threading",
    "time",
    "aiomqtt",
    "paho",
    "psycopg",
    "faust",
    "confluent_kafka",
    "influxdb_client",
}
MAY_IMPORT = {
    "contracts": set(),
    "edge_agent": {"contracts"},
    "stream_processors": {"contracts"},
    "ledger_sink": {"contracts"},
    "firmware_sim": {"contracts"},
    "grafana": {"contracts"},
}
PURE_DATES = {"datetime"}
"""A core may name the types of time; asking what time it is would need a clock."""


def python_files() -> Iterator[Path]:
    for package in (*PACKAGES, "tests"):
        yield from sorted((ROOT / package).rglob("*.py"))


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("path", list(python_files()), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= FILE_LINES_MAX
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= FUNCTION_LINES_MAX, f"{node.name} has {lines} lines"


def core_files() -> list[Path]:
    cores = [*ROOT.glob("*/core/**/*.py"), *(ROOT / "contracts").glob("*.py")]
    return sorted(path for path in cores if path.name != "named_points.py")


@pytest.mark.parametrize("path", core_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_cores_hold_no_clock_socket_dice_or_broker(path: Path) -> None:
    allowed = PURE_DATES | ({"random"} if "firmware_sim" in path.parts else set())
    assert imports_of(path) & (IMPURE - allowed) == set()
    assert not re.search(r"\b(?:now|today|utcnow)\(", path.read_text())


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_programs_meet_on_the_wire_never_by_import(package: str) -> None:
    ours = set(PACKAGES) - {package} - MAY_IMPORT[package]
    for path in (ROOT / package).rglob("*.py"):
        assert imports_of(path) & ours == set(), path.relative_to(ROOT)


def test_the_lock_names_hashes_and_no_index() -> None:
    for name in ("run", "dev"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        assert "index-url" not in text
        assert not re.search(r"https?://", text)
        pinned = re.findall(r"^[a-z0-9][^\s=]*==\S+.*\\$", text, flags=re.MULTILINE)
        assert len(pinned) > 50
        assert text.count("--hash=sha256:") >= len(pinned)


def test_every_dependency_is_in_the_lock() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = (ROOT / "requirements" / "run.txt").read_text()
    for dependency in project["dependencies"]:
        name = re.split(r"[\[<>=; ]", dependency)[0]
        assert re.search(rf"^{re.escape(name)}(\[.*\])?==", locked, flags=re.MULTILINE), name
