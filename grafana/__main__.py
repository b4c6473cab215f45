"""`python -m grafana [FOLDER]`: write the boards' JSON, by default where they are provisioned."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from grafana.flow import board

FOLDER = Path(__file__).parent / "boards"


def text() -> str:
    """The board as it is committed: stable, so that a difference is a change."""
    return json.dumps(board(), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> None:
    """Write them."""
    folder = Path(arguments[0]) if arguments else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "flow.json").write_text(text(), encoding="utf-8")
    sys.stdout.write(f"{folder / 'flow.json'} written\n")


if __name__ == "__main__":
    main(sys.argv[1:])
