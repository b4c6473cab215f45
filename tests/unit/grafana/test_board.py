"""The board that is committed is the one that the code makes."""

import json

from grafana.__main__ import FOLDER, text
from grafana.flow import PANELS, board


def test_the_committed_board_is_the_generated_one() -> None:
    assert (FOLDER / "flow.json").read_text(encoding="utf-8") == text()


def test_panels_do_not_overlap_and_name_known_sources() -> None:
    panels = json.loads(json.dumps(board()))["panels"]
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels) == len(PANELS)
    assert {panel["datasource"]["uid"] for panel in panels} == {
        "tallygate-influxdb",
        "tallygate-ledger",
    }
