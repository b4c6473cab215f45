"""The scenario file: what is right, and how all that is wrong is told at once."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firmware_sim
from firmware_sim.bench.scenario import (
    ScenarioFile,
    load_scenario,
    read_scenario,
    scenario_schema,
)

FOLDER = Path(firmware_sim.__file__).parent / "scenarios"
SCHEMA = FOLDER / "scenario.schema.json"
EXAMPLES = sorted(FOLDER.glob("*.toml"))

WRONG = """
seed = -1
speed = "fast"
[[devices]]
id = "a b"
kind = "scaner"
prot = 3
[[devices.passings]]
at_s = 1
identity = "https://id.gs1.org/01/09506000134353/21/1"
[[devices.faults]]
at_s = 3
fault = "freze 5"
[[devices]]
id = "x"
kind = "ble"
port = 5
[[devices.faults]]
at_s = -3
fault = "antenna two lost"
[[devices]]
id = "x"
kind = "scanner"
port = 9001
[[devices]]
id = "y"
kind = "scanner"
port = 9001
"""


TOLD = """\
line 2: seed: -1: must be greater than or equal to 0
line 3: speed: 'fast': must be a valid number
line 5: devices[0].id: 'a b': must be 1 to 64 letters, digits, - or _, and start with a \
letter or digit
line 6: devices[0].kind: 'scaner' is no kind of device; did you mean scanner or \
scanner-sick or scanner-zebra?
line 7: devices[0].prot: no such field; did you mean 'port'?
line 10: devices[0].passings[0].identity: 'https://id.gs1.org/01/09506000134353/21/1': \
its check digit is 3, but must be 2
line 13: devices[0].faults[0].fault: 'freze 5': 'freze' is no fault; did you mean 'freeze'?
line 15: devices[1].id: 'x' stands there more than once
line 17: devices[1].port: a device of kind ble has bus
line 19: devices[1].faults[0].at_s: -3: must be greater than or equal to 0
line 20: devices[1].faults[0].fault: 'antenna two lost' is written 'antenna NUMBER lost | back'
line 22: devices[2].id: 'x' stands there more than once
line 28: devices[3].port: 9001 is already x's
"""


def told(text: str, *, is_json: bool = False) -> list[str]:
    found = read_scenario(text, is_json=is_json)
    assert isinstance(found, list)
    return [mistake.text() for mistake in found]


def test_all_mistakes_are_told_at_once_with_field_line_value_and_what_is_allowed() -> None:
    assert told(WRONG) == TOLD.splitlines()


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("", "devices: is missing"),
        ("devices = []", "line 1: devices: []: must have at least 1 item"),
        ("seed = x\n", "line 1: not TOML: Invalid value (at line 1, column 8)"),
        ("devices = 3", "line 1: devices: 3: must be a valid list"),
        ('format = "other"', "devices: is missing"),
    ],
)
def test_what_is_no_scenario_is_told(text: str, first: str) -> None:
    assert told(text)[0].startswith(first)


def test_json_is_read_as_well_and_told_without_lines() -> None:
    right = {"devices": [{"id": "a", "kind": "scanner", "traffic": {"rate_per_s": 5}}]}
    assert isinstance(read_scenario(json.dumps(right), is_json=True), ScenarioFile)
    assert told('{"devices": [{"id": "a"}]}', is_json=True) == ["devices[0].kind: is missing"]
    assert told("{", is_json=True)[0].startswith("line 1: not JSON")
    assert told("[]", is_json=True) == ["line 1: must be a table (an object)"]


@pytest.mark.parametrize("field", ["id", "kind", "host", "port"])
def test_a_number_of_any_size_is_told(field: str) -> None:
    device = 'id = "a"\nkind = "scanner"\nport = 1\nhost = "h"\n'
    huge = re.sub(rf"(?m)^{field} = .*$", f"{field} = 0x{'F' * 5_000}", device)
    assert told(f"[[devices]]\n{huge}[[devices]]\n{huge}")
    digits = "1" * 5_000
    assert told(f"seed = {digits}") == ["a number with too many digits"]
    assert told(f'{{"seed": {digits}}}', is_json=True) == ["a number with too many digits"]


def test_a_byte_order_mark_at_the_beginning_is_no_mistake() -> None:
    right = '[[devices]]\nid = "a"\nkind = "scanner"\n'
    assert isinstance(read_scenario(f"\ufeff{right}"), ScenarioFile)
    assert told(f"\ufeff{right}port = -1")[0].startswith("line 4: devices[0].port")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert "cannot be read" in load_scenario(tmp_path / "none.toml")[0]  # type: ignore[index]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_each_example_is_right_by_our_models_and_by_the_schema(path: Path) -> None:
    assert isinstance(load_scenario(path), ScenarioFile)
    jsonschema.validate(tomllib.loads(path.read_text()), json.loads(SCHEMA.read_text()))


def test_there_is_an_example() -> None:
    assert EXAMPLES


def test_the_schema_beside_the_examples_is_up_to_date() -> None:
    renew = "python -m firmware_sim devices --schema > firmware_sim/scenarios/scenario.schema.json"
    assert SCHEMA.read_text() == scenario_schema() + "\n", renew


def test_the_schema_is_one_and_refuses_what_we_refuse() -> None:
    schema = json.loads(scenario_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    problems = {"/".join(map(str, e.path)) for e in validator.iter_errors(tomllib.loads(WRONG))}
    assert {"seed", "speed", "devices/0/kind", "devices/0/faults/0/fault"} <= problems


def test_every_field_is_explained_in_the_schema() -> None:
    schema = json.loads(scenario_schema())
    for table in (schema, *schema["$defs"].values()):
        for name, field in table["properties"].items():
            if name not in {"id", "kind", "devices"}:
                assert "description" in field, name


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "kind", "port", "host", "faults", "passings", "at_s", "x"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(VALUES)
def test_any_devices_are_a_scenario_or_are_told(devices: object) -> None:
    text = json.dumps({"devices": devices})
    found = read_scenario(text, is_json=True)
    assert isinstance(found, ScenarioFile) or all(mistake.text() for mistake in found)


@given(st.text())
def test_any_text_is_a_scenario_or_is_told(text: str) -> None:
    for is_json in (False, True):
        found = read_scenario(text, is_json=is_json)
        assert isinstance(found, ScenarioFile) or all(mistake.text() for mistake in found)
