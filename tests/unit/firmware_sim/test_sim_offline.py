"""The offline rehearsal tells the same world as the ports, and its books balance."""

import sys
from collections import Counter
from pathlib import Path

import pytest
from biip import ParseResult
from biip import parse as biip_parse

from contracts.reads import GateSignal, Read
from contracts.site import SiteFile, read_site
from firmware_sim.core.scanning import line_of, triggers_of
from firmware_sim.core.shift import shift_of
from firmware_sim.core.site import site_toml
from firmware_sim.core.truth import Passage, passages_of
from firmware_sim.files import (
    items_csv,
    loads_csv,
    read_passages,
    rfc3339,
    us_of,
    write_passages,
    write_truth,
)
from firmware_sim.offline import START_US, Rehearsal, reads_of
from firmware_sim.parameters import DEFAULT, with_settings

SEED = 2
PORTS = {"door-1": 1, "door-2": 2, "gate-3": 3, "conveyor": 4}


@pytest.fixture(scope="module")
def rehearsed() -> tuple[Rehearsal, list[Read], list[GateSignal]]:
    """One whole rehearsal."""
    sys.stdout.write(f"seed {SEED}\n")
    rehearsal = Rehearsal(SEED)
    reads: list[Read] = []
    signals: list[GateSignal] = []
    last_us = 0
    for batch in rehearsal.batches():
        assert batch.gateway_us > last_us
        assert all(last_us <= read.received_us < batch.gateway_us for read in batch.reads)
        last_us = batch.gateway_us
        reads += batch.reads
        signals += batch.signals
    return rehearsal, reads, signals


Rehearsed = tuple[Rehearsal, list[Read], list[GateSignal]]


def test_a_rehearsal_is_as_large_as_promised(rehearsed: Rehearsed) -> None:
    """200,000 reads, 1,500 passages, and the strays among those that were really read."""
    rehearsal, reads, signals = rehearsed
    kinds = Counter(p.kind for p in rehearsal.passages() if p.reads_emitted)
    assert len(reads) >= 200_000
    assert kinds["passed"] >= 1_500
    assert kinds["lingered"] >= 30
    assert kinds["turned_back"] >= 20
    assert kinds["crosstalk"] >= 50
    assert len(signals) > 100


def test_reads_emitted_are_the_reads_of_that_identity_at_that_gate(rehearsed: Rehearsed) -> None:
    """The sums agree for every identity and gate, ghosts apart."""
    rehearsal, reads, _ = rehearsed
    told: Counter[tuple[str, str]] = Counter()
    for passage in rehearsal.passages():
        told[passage.identity, passage.gate] += passage.reads_emitted
    read = Counter((one.identity, one.device) for one in reads)
    different = {key for key in read | told if read[key] != told[key]}
    assert len(different) <= 4  # A ghost takes its read from its tag.
    assert sum(told.values()) == len(reads)


def test_every_read_is_a_valid_one(rehearsed: Rehearsed) -> None:
    """Counts, order of times, antennas, evidence."""
    rehearsal, reads, _ = rehearsed
    places = {(place.device, place.antenna) for place in rehearsal.site_map.antennas}
    for read in reads[::97]:
        assert read.count >= 1
        assert read.first_us <= read.last_us <= read.received_us
        assert (read.device, read.antenna) in places
        assert read.evidence


def test_the_same_seed_gives_the_same_reads() -> None:
    """And another gives others."""

    def some(seed: int) -> list[Read]:
        stream = reads_of(seed)
        return [next(stream) for _ in range(3_000)]

    assert some(5) == some(5)
    assert some(5) != some(6)


def test_false_clocks_are_off_as_their_readers_are() -> None:
    """Door 2 is 137 s ahead; receipt is true always."""
    batches = Rehearsal(SEED, true_clocks=False).batches()
    seen: dict[str, int] = {}
    for batch in batches:
        for read in batch.reads:
            seen.setdefault(read.device, read.last_us - read.received_us)
        if len(seen) == 4:
            break
    assert 136_000_000 < seen["door-2"] < 138_000_000
    assert -2_000_000 < seen["door-1"] < 0
    assert -1_000_000 < seen["gate-3"] < 0


def test_the_site_file_is_one_that_the_product_accepts() -> None:
    """All gates, antennas and photo-eyes."""
    site = read_site(site_toml(PORTS))
    assert isinstance(site, SiteFile), site
    assert {gate.id: gate.geometry for gate in site.gates} == {
        "door-1": "rows",
        "door-2": "facing",
        "gate-3": "overhead",
        "conveyor": "line",
    }
    assert {device.id: device.port for device in site.devices} == PORTS
    assert site.devices[0].llrp.session == 0


def test_loads_and_items_are_written_as_they_are() -> None:
    """Every item of a line has a name in both languages."""
    shift = shift_of(SEED, DEFAULT)
    names = dict(line.split(",", 1) for line in items_csv(shift).splitlines())
    lines = loads_csv(shift, START_US).splitlines()
    head = "load,gate,direction,opens_at,closes_at,pallet,case,identity,item,quantity"
    assert lines[0] == head
    assert len(lines) == 1 + sum(len(load.lines) for load in shift.loads)
    for line in lines[1:]:
        row = dict(zip(head.split(","), line.split(","), strict=True))
        assert row["item"] in names
        assert us_of(row["opens_at"]) < us_of(row["closes_at"])
        assert int(row["quantity"]) == 1 or not row["identity"]
    assert "托盘" in names["PALLET"]


def test_passages_are_read_back_as_written(tmp_path: Path, rehearsed: Rehearsed) -> None:
    """To the microsecond."""
    passages: list[Passage] = rehearsed[0].passages()
    write_passages(tmp_path / "passages.jsonl", passages)
    assert read_passages(tmp_path / "passages.jsonl") == passages


def test_a_run_cut_short_tells_only_what_began(tmp_path: Path) -> None:
    """Passages and faults after the cut did not happen."""
    shift = shift_of(SEED, DEFAULT)
    cut_us = shift.end_us // 2
    passages = passages_of(shift, START_US, cut_us)
    assert passages
    assert all(passage.from_us <= START_US + cut_us for passage in passages)
    write_truth(tmp_path / "half", shift, START_US, cut_us)
    write_truth(tmp_path / "whole", shift, START_US, shift.end_us)
    half, whole = ((tmp_path / name).read_text().splitlines() for name in ("half", "whole"))
    assert len(half) < len(whole) == len(shift.faults)
    assert half == [line for line in whole if line in half]


def test_times_are_rfc_3339_and_need_a_zone() -> None:
    """Both ways."""
    assert rfc3339(START_US + 5) == "2026-03-02T08:00:00.000005Z"
    assert us_of("2026-03-02T09:00:00.000005+01:00") == START_US + 5
    with pytest.raises(ValueError, match="zone"):
        us_of("2026-03-02T08:00:00")


def test_the_scanners_lines_are_gs1_and_say_the_tags_own_keys() -> None:
    """Checked with biip: AIM identifier, (01)(21) or (00), framed by STX and ETX CR LF."""
    shift = shift_of(SEED, DEFAULT)
    codes = [trigger for trigger in triggers_of(shift) if trigger.code]
    assert {trigger.code[:3] for trigger in codes} == {"]C1", "]d2"}
    for trigger in codes[::9]:
        line = line_of(trigger.code)
        assert (line[:1], line[-3:]) == (b"\x02", b"\x03\r\n")
        result: ParseResult = biip_parse(line[1:-3].decode())
        assert result.gs1_message is not None
        found = {element.ai.ai: element.value for element in result.gs1_message.element_strings}
        assert trigger.scan is not None
        if "00" in found:
            name = f"https://id.gs1.org/00/{found['00']}"
        else:
            name = f"https://id.gs1.org/01/{found['01']}/21/{found['21']}"
        assert name == trigger.scan.tag.identity


def test_triggers_without_a_code_say_noread() -> None:
    """A small share of them."""
    shift = shift_of(SEED, DEFAULT)
    triggers = triggers_of(shift)
    empty = [trigger for trigger in triggers if not trigger.code]
    assert 0.005 < len(empty) / len(triggers) < 0.08
    assert line_of(empty[0].code) == b"\x02NOREAD\x03\r\n"


def test_an_accelerated_rehearsal_hears_the_same_only_later() -> None:
    """At speed 60, up to some seconds of domain time; the reads themselves are the same."""

    def some(speed: float) -> list[Read]:
        found: list[Read] = []
        for batch in Rehearsal(SEED, speed=speed).batches():
            found += batch.reads
            if len(found) > 5_000:
                break
        return found[:4_000]

    fast, true = some(60.0), some(1.0)
    lags = [read.received_us - read.last_us for read in fast]
    assert min(lags) >= 0
    assert 2_000_000 < max(lags) < 5_000_000
    told = {(read.device, read.identity, read.antenna, read.first_us) for read in true[:3_000]}
    assert told <= {(read.device, read.identity, read.antenna, read.first_us) for read in fast}


def test_a_read_rate_that_no_tag_can_have_is_refused() -> None:
    with pytest.raises(ValueError, match="below read_chance_max"):
        with_settings(DEFAULT, ["read_rate=0.9"])
