"""Files of master data: all mistakes at once, each with its line and column."""

from pathlib import Path

import pytest

from tallygate.reference import ReferenceFileError, read_items, read_loads

HEAD = "load,gate,direction,opens_at,closes_at,pallet,case,identity,item,quantity\n"
LINE = "S-1,door-1,out,2026-03-02T08:00:00Z,2026-03-02T09:00:00Z,P,C,{identity},4711,1\n"


def test_a_load_keeps_its_lines_in_order(tmp_path: Path) -> None:
    path = tmp_path / "loads.csv"
    path.write_text(HEAD + LINE.format(identity="a") + LINE.format(identity="b"))
    (load,) = read_loads(path, frozenset({"door-1"}))
    assert [line.identity for line in load.lines] == ["a", "b"]
    assert load.closes_us - load.opens_us == 3_600_000_000


def test_every_mistake_is_told_with_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "loads.csv"
    path.write_text(
        HEAD
        + "S-1,door-1,sideways,2026-03-02T08:00:00Z,2026-03-02T09:00:00Z,,,a,,1\n"
        + "S-2,door-1,in,yesterday,2026-03-02T09:00:00Z,,,a,,0\n"
    )
    with pytest.raises(ReferenceFileError) as caught:
        read_loads(path)
    text = str(caught.value)
    assert "loads.csv:2: direction: 'sideways'" in text
    assert "loads.csv:3: opens_at: 'yesterday'" in text
    assert "loads.csv:3: quantity: '0'" in text


def test_lines_of_one_load_must_agree_and_an_identity_stands_once(tmp_path: Path) -> None:
    path = tmp_path / "loads.csv"
    second = LINE.format(identity="a").replace("door-1", "door-2")
    path.write_text(HEAD + LINE.format(identity="a") + second)
    with pytest.raises(ReferenceFileError) as caught:
        read_loads(path, frozenset({"door-1"}))
    text = str(caught.value)
    assert "loads.csv:3: gate: 'door-2' is not in the site map (door-1)" in text
    assert "loads.csv:3: gate: door-2 differs from door-1 in line 2" in text
    assert "loads.csv:3: identity: a stands in line 2" in text


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(ReferenceFileError, match="cannot be read"):
        read_items(tmp_path / "none.csv")


def test_items_carry_both_names(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("item,name,name_zh\n4711,Bolt M8,螺栓 M8\n", encoding="utf-8")
    assert read_items(path)[0].name_zh == "螺栓 M8"
