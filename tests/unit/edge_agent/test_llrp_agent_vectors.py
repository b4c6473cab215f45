"""Message bodies of real readers, which others recorded and decoded."""

import json
import os
from pathlib import Path

from edge_agent.core.llrp.codec import decode_body, encode_body, to_json_values
from edge_agent.core.llrp.messages import MESSAGE_NUMBERS

REPOSITORY = Path(__file__).resolve().parents[3]
FOLDER = Path(os.environ.get("TALLYGATE_CONFORMANCE_DATA", REPOSITORY / "../shared/data")) / "llrp"


def vectors() -> list[Path]:
    found = sorted(FOLDER.glob("*.bytes"))
    assert found, f"no vectors in {FOLDER}: set TALLYGATE_CONFORMANCE_DATA"
    return found


def test_every_vector_decodes_to_its_values() -> None:
    for path in vectors():
        number = MESSAGE_NUMBERS[path.stem.split("-")[0]]
        message = decode_body(number, path.read_bytes())
        expected = json.loads(path.with_suffix(".json").read_text())
        assert to_json_values(message) == expected, path.name


def test_every_vector_encodes_back_to_its_bytes() -> None:
    for path in vectors():
        number = MESSAGE_NUMBERS[path.stem.split("-")[0]]
        assert encode_body(decode_body(number, path.read_bytes())) == path.read_bytes(), path.name
