"""A ledger that was exported is verified without its database, and one entry can be proved alone.

The tampering: a thousand random changes to an exported ledger, made by someone who computes all
later hashes anew, are each found with nothing but the public key and the published heads.
"""

from __future__ import annotations

import contextlib
import random
import shutil
from pathlib import Path

import msgspec
import psycopg
import pytest

from contracts.codec import canonical
from ledger_sink.core.batch_check import LedgerBatch
from ledger_sink.core.chain import ChainEntry, chain_hash, content_of, genesis
from ledger_sink.core.export import (
    Begin,
    End,
    ExportError,
    line_of,
    lines_of,
    read_batches,
    read_begin,
)
from ledger_sink.core.proofs import read_proof
from ledger_sink.core.verification import Fault
from ledger_sink.export import export, open_export
from ledger_sink.heads_file import HEADS, PUBLIC_KEY, Signer
from ledger_sink.verify import ProofReport, VerifyReport, prove, verify_file, verify_proof
from tests.integration.test_command_line_looks import tallygate
from tests.integration.test_ledger_verify import ENTRIES, World, world

__all__ = ["world"]

CHANGES = 1_000
"""Random changes, each of which must be found."""


class Papers:
    """What an auditor is given: a file, the published heads and the public key. No database."""

    def __init__(self, world: World, folder: Path, name: str = "ledger.jsonl") -> None:
        folder.mkdir(exist_ok=True)
        self.file = folder / name
        self.heads = shutil.copy(world.folder / HEADS, folder)
        self.key = shutil.copy(world.folder / PUBLIC_KEY, folder)
        self.progress: list[tuple[int, int]] = []
        export(world.url, "demo", self.file, at_us=7, told=lambda *it: self.progress.append(it))

    def verify(self) -> VerifyReport:
        return verify_file(self.file, Path(self.heads), Path(self.key))

    def read(self) -> tuple[Begin, LedgerBatch]:
        with open_export(self.file) as lines:
            begin = read_begin(next(lines))
            (batch,) = read_batches(lines)
            return begin, batch

    def write(self, batch: LedgerBatch, *, chain_seq: int | None = None) -> None:
        count = len(batch.entries)
        begin = Begin(site="demo", chain_seq=chain_seq or count, exported_us=7)
        self.file.write_bytes(line_of(begin) + lines_of(batch) + line_of(End(entries=count)))


@pytest.mark.parametrize("name", ["ledger.jsonl", "ledger.jsonl.gz"])
def test_an_exported_ledger_is_whole_without_its_database(
    world: World, tmp_path: Path, name: str
) -> None:
    world.enter(ENTRIES, 3)
    papers = Papers(world, tmp_path / "papers", name)
    assert papers.verify() == world.verify()
    assert papers.verify().sightings == 15
    assert papers.progress == [(15, 15)]
    assert (papers.file.read_bytes()[:2] == b"\x1f\x8b") is name.endswith(".gz")


def test_a_thousand_random_changes_are_each_found(world: World, tmp_path: Path) -> None:
    papers = Papers(world, tmp_path / "papers")
    _, whole = papers.read()
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    dice = random.Random(seed)
    kinds = [changed, removed, inserted, swapped, sighting_changed, sighting_gone]
    for number in range(CHANGES):
        kind = kinds[number % len(kinds)]
        papers.write(kind(whole, dice))
        report = papers.verify()
        assert not report.whole, (seed, number, kind.__name__)
    papers.write(whole)
    assert papers.verify().whole


def rechained(entries: list[ChainEntry]) -> list[ChainEntry]:
    before, result = genesis("demo"), []
    for seq, entry in enumerate(entries, start=1):
        hash_ = chain_hash(before, seq, content_of("demo", entry))
        result.append(entry._replace(seq=seq, previous=before, hash=hash_))
        before = hash_
    return result


def changed(whole: LedgerBatch, dice: random.Random) -> LedgerBatch:
    """One field of one entry."""
    entries = list(whole.entries)
    place = dice.randrange(len(entries))
    entry = entries[place]
    entries[place] = dice.choice(
        [
            entry._replace(payload=entry.payload.replace(b"out", b"in")),
            entry._replace(happened_us=entry.happened_us + dice.randint(1, 10**9)),
            entry._replace(recorded_us=entry.recorded_us + dice.randint(1, 10**9)),
            entry._replace(identity=f"{entry.identity}0"),
            entry._replace(location=None),
            entry._replace(kind="reject"),
            entry._replace(id=f"{dice.getrandbits(128):032x}"),
            entry._replace(read_received_us=None),
            entry._replace(window_us=entry.window_us + 1),
        ]
    )
    return whole._replace(entries=rechained(entries))


def removed(whole: LedgerBatch, dice: random.Random) -> LedgerBatch:
    entries = list(whole.entries)
    for _ in range(dice.randint(1, 4)):
        del entries[dice.randrange(len(entries))]
    return whole._replace(entries=rechained(entries))


def inserted(whole: LedgerBatch, dice: random.Random) -> LedgerBatch:
    entries = list(whole.entries)
    new = entries[0]._replace(id=f"{dice.getrandbits(128):032x}")
    entries.insert(dice.randrange(len(entries)), new)
    return whole._replace(entries=rechained(entries))


def swapped(whole: LedgerBatch, dice: random.Random) -> LedgerBatch:
    entries = list(whole.entries)
    one, other = dice.sample(range(len(entries)), 2)
    entries[one], entries[other] = entries[other], entries[one]
    return whole._replace(entries=rechained(entries))


def sighting_changed(whole: LedgerBatch, dice: random.Random) -> LedgerBatch:
    sightings = dict(whole.sightings)
    id_ = dice.choice(list(sightings))
    raw = bytearray(sightings[id_])
    raw[dice.randrange(len(raw))] ^= dice.randint(1, 255)
    return whole._replace(sightings={**sightings, id_: bytes(raw)})


def sighting_gone(whole: LedgerBatch, dice: random.Random) -> LedgerBatch:
    sightings = dict(whole.sightings)
    del sightings[dice.choice(list(sightings))]
    return whole._replace(sightings=sightings)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("name", ["ledger.jsonl", "ledger.jsonl.gz"])
def test_a_file_that_was_cut_off_is_told_as_that(
    world: World, tmp_path: Path, name: str, share: float
) -> None:
    papers = Papers(world, tmp_path / "papers", name)
    raw = papers.file.read_bytes()
    papers.file.write_bytes(raw[: int(len(raw) * share)])
    if not share:
        with pytest.raises(ExportError, match="line 1"):
            papers.verify()
        return
    with contextlib.suppress(ExportError):
        assert Fault.FILE in [finding.fault for finding in papers.verify().findings]


def test_any_entry_under_a_head_can_be_proved_alone(world: World, tmp_path: Path) -> None:
    world.enter(ENTRIES, 1)
    heads, key = world.folder / HEADS, world.folder / PUBLIC_KEY
    path = tmp_path / "proof.json"
    for seq in range(1, ENTRIES + 1):
        proof = prove(world.url, heads, key, "demo", str(seq))
        assert not isinstance(proof, str)
        path.write_bytes(canonical(proof))
        report = verify_proof(path, key, heads)
        assert isinstance(report, ProofReport)
        assert report.is_published
        assert report.proved.entry.seq == seq
        assert verify_proof(path, key) == report._replace(is_published=None)
        same = prove(world.url, heads, key, "demo", report.proved.entry.id)
        assert same == proof
    assert "not yet under a published head" in str(
        prove(world.url, heads, key, "demo", str(ENTRIES + 1))
    )
    assert "no entry" in str(prove(world.url, heads, key, "demo", "ff" * 16))


def test_a_proof_that_was_touched_proves_nothing(world: World, tmp_path: Path) -> None:
    heads, key = world.folder / HEADS, world.folder / PUBLIC_KEY
    proof = prove(world.url, heads, key, "demo", "6")
    assert not isinstance(proof, str)
    path = tmp_path / "proof.json"
    replace = msgspec.structs.replace
    forged = [
        replace(proof, entry=replace(proof.entry, payload=b"{}")),
        replace(proof, entry=replace(proof.entry, seq=7)),
        replace(proof, entry=replace(proof.entry, seq=-1)),
        replace(proof, entry=replace(proof.entry, seq=2**63)),
        replace(proof, entry=replace(proof.entry, previous=b"\0" * 32)),
        replace(proof, entry=replace(proof.entry, hash=b"\0" * 32)),
        replace(proof, site="[/x]"),
        replace(proof, entry=replace(proof.entry, identity=None)),
        replace(proof, path=proof.path[1:]),
        replace(proof, path=("00" * 32, *proof.path[1:])),
        replace(proof, path=("no", *proof.path[1:])),
        replace(proof, head=proof.head.replace('"seq":8', '"seq":9')),
        replace(proof, head="{}"),
        replace(proof, site="other"),
        replace(proof, schema=99),
    ]
    for each in forged:
        path.write_bytes(canonical(each))
        assert isinstance(verify_proof(path, key, heads), str)
    for raw in (b"", b"\xff\xfe", b"[]", canonical(proof)[:-20]):
        path.write_bytes(raw)
        assert isinstance(verify_proof(path, key, heads), str)


def test_a_head_of_one_s_own_proves_nothing(world: World, tmp_path: Path) -> None:
    """Whoever signs a head with a key of his own is found by the key's name."""
    heads, key = world.folder / HEADS, world.folder / PUBLIC_KEY
    proof = prove(world.url, heads, key, "demo", "6")
    assert not isinstance(proof, str)
    path = tmp_path / "proof.json"
    path.write_bytes(canonical(proof))
    stranger = Signer(tmp_path / "stranger")
    assert stranger.public.name
    said = verify_proof(path, tmp_path / "stranger" / PUBLIC_KEY)
    assert "another key" in str(said)
    assert not isinstance(read_proof(path.read_bytes()), str)


def test_a_proof_bears_no_hash_that_it_does_not_prove(world: World) -> None:
    proof = prove(world.url, world.folder / HEADS, world.folder / PUBLIC_KEY, "demo", "6")
    assert not isinstance(proof, str)
    assert (proof.entry.previous, proof.entry.hash) == (b"", b"")


def test_an_entry_whose_neighbour_is_gone_is_not_proved_and_it_is_said_why(world: World) -> None:
    heads, key = world.folder / HEADS, world.folder / PUBLIC_KEY
    with psycopg.connect(world.url, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("delete from ledger.entries where seq = 7")
        for seq in ("6", "7", "8"):
            said = str(prove(world.url, heads, key, "demo", seq))
            assert "1 of the entries 5 to 8" in said
            assert "are gone from the ledger, the first is 7" in said
        assert not isinstance(prove(world.url, heads, key, "demo", "9"), str)
        connection.execute("delete from ledger.entries where seq <= 8")
        assert "4 of the entries" in str(prove(world.url, heads, key, "demo", "6"))


@pytest.mark.parametrize(
    "name", ["", "0", "-1", "6.0", "9" * 30, "9" * 5_000, "\u0663", "\u00b2", "a\0b"]
)
def test_what_names_no_entry_is_said_to_name_none(world: World, name: str) -> None:
    heads, key = world.folder / HEADS, world.folder / PUBLIC_KEY
    assert "has no entry" in str(prove(world.url, heads, key, "demo", name))


@pytest.mark.parametrize("number", [0, -1, 2**63, 2**70])
@pytest.mark.parametrize("field", ["seq", "chain_seq"])
def test_a_number_that_no_database_holds_is_told(
    world: World, tmp_path: Path, field: str, number: int
) -> None:
    papers = Papers(world, tmp_path / "papers")
    begin, batch = papers.read()
    if field == "seq":
        first = batch.entries[0]._replace(seq=number)
        papers.write(batch._replace(entries=[first, *batch.entries[1:]]))
        (said,) = [one.text for one in papers.verify().findings if one.fault == Fault.FILE]
        assert "is no line of a ledger's export" in said
    elif number:
        lines = papers.file.read_bytes().partition(b"\n")
        papers.file.write_bytes(
            line_of(msgspec.structs.replace(begin, chain_seq=number)) + lines[2]
        )
        with pytest.raises(ExportError, match="line 1"):
            papers.verify()


def test_heads_newer_than_an_export_are_told_with_where_it_ends(
    world: World, tmp_path: Path
) -> None:
    """It looks as if its end was cut off, and an honest export of that day looks the same."""
    papers = Papers(world, tmp_path / "papers")
    world.enter(ENTRIES, 3)
    world.publish()
    papers.heads = shutil.copy(world.folder / HEADS, tmp_path / "papers")
    (finding,) = papers.verify().findings
    assert finding.fault == Fault.MISSING
    assert "entries 13 to 15: published, and gone from the end of the chain" in finding.text
    assert (
        "the export says that it goes until entry 12, and one that was made before" in finding.text
    )
    # A file that ends before its own end, or lacks something in the middle, has no such excuse.
    _, batch = papers.read()
    papers.write(batch._replace(entries=batch.entries[:9]), chain_seq=12)
    assert "the export says" not in papers.verify().findings[0].text
    papers.write(batch._replace(entries=rechained([*batch.entries[:4], *batch.entries[5:]])))
    assert "the export says" not in papers.verify().findings[0].text


def test_names_in_brackets_are_printed_as_they_are(world: World, tmp_path: Path) -> None:
    """A path or a site may look like markup, and an identity like the name of an emoji."""
    folder = tmp_path / "[red]:x:[" / "b]"
    folder.mkdir(parents=True)
    papers = ("--heads", str(world.folder / HEADS), "--public-key", str(world.folder / PUBLIC_KEY))
    ledger = ("--postgres", world.url, "--site", "demo", "--data", str(world.folder.parent))
    file, proof = folder / "ledger.jsonl", folder / "proof.json"
    for said in (
        tallygate("export", str(file), *ledger)[1],
        tallygate("prove", "6", str(proof), *ledger)[1],
    ):
        assert f"in {folder}" in said
    forged = proof.read_bytes().replace(b'"site":"demo"', b'"site":"[/x]"', 1)
    proof.write_bytes(forged)
    code, said = tallygate("verify", "--proof", str(proof), *papers)
    assert (code, f"{proof} proves nothing: " in said, "'[/x]'" in said) == (1, True, True), said


def test_the_commands_say_what_they_did_and_what_to_do_next(world: World, tmp_path: Path) -> None:
    world.enter(ENTRIES, 1)
    data, away = world.folder.parent, tmp_path / "away"
    away.mkdir()
    papers = ("--heads", str(world.folder / HEADS), "--public-key", str(world.folder / PUBLIC_KEY))
    ledger = ("--postgres", world.url, "--site", "demo", "--data", str(data))
    file, proof = str(away / "ledger.jsonl.gz"), str(away / "proof.json")

    code, said = tallygate("export", file, *ledger)
    assert code == 0, said
    assert f"13 entries are in {file}. Verify it anywhere with `tallygate verify --file" in said
    code, said = tallygate("verify", "--file", file, *papers, "--data", str(away))
    assert (code, "The ledger is whole." in said) == (0, True), said
    assert "not yet protected: 1 entries after the last published head (entry 12)" in said

    code, said = tallygate("prove", "6", proof, *ledger)
    assert code == 0, said
    code, said = tallygate("verify", "--proof", proof, *papers, "--data", str(away))
    assert code == 0, said
    assert "Entry 6 of site demo (location about https://id.gs1.org/01/" in said
    assert "The head is one of the published ones." in said
    code, said = tallygate("prove", "13", proof, *ledger)
    assert (code, "not yet under a published head" in said) == (2, True), said
    code, said = tallygate("verify", "--proof", file, *papers, "--data", str(away))
    assert (code, "proves nothing" in said) == (1, True), said
    code, said = tallygate("verify", "--file", proof, *papers, "--data", str(away))
    assert code == 2, said
    assert "line 1 is no line of a ledger's export" in said
