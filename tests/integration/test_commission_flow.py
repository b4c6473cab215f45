"""`tallygate commission`: from an order to tags that a portal reads back as those identities."""

from __future__ import annotations

from pathlib import Path

import pypdfium2
import pytest

from contracts.codec import encode
from contracts.places import Item
from contracts.reads import Read
from edge_agent.core.identity import identity_of_code, identity_of_epc
from firmware_sim.bench.kinds import Passing
from firmware_sim.core.printer import Printer
from ledger_sink.commissioning import Commissioning
from ledger_sink.postgres_ledger import PostgresLedger, connect
from tallygate.ledger import write_state
from tallygate.servers.mqtt_embedded import EmbeddedMqtt
from tests.integration.test_command_line_looks import tallygate
from tests.support.agent_bench import GATEWAY, SITE, AgentProcess, Listener, wait_until
from tests.support.label_printer import label_printer
from tests.support.llrp_readers import ANTENNAS, ReaderThread, reader_server, wall_us
from tests.support.servers import Fresh

ITEM = "80614141123458"
ORDER = ("--item", ITEM, "--prefix", "0614141", "--cases", "4", "--units", "6")
LABELS = 1 + 4 + 4 * 6
LAPS = 200
EVERY_US = 20_000
AHEAD_US = 1_000_000


@pytest.fixture
def folder(embedded: Fresh, tmp_path: Path) -> str:
    """A stack's folder whose ledger knows the item by name."""
    write_state(tmp_path, postgres_url=embedded.postgres_url, site="demo")
    item = Item(item=ITEM, name="Servo motor 400 W", name_zh="伺服电机 400 W")
    with connect(embedded.postgres_url) as connection:
        PostgresLedger(connection, "demo").put_reference(f"item/{ITEM}", encode(item), 1)
    return str(tmp_path)


def commission(folder: str, *arguments: str) -> tuple[int, str]:
    code, said = tallygate("commission", *arguments, "--data", folder)
    return code, " ".join(said.split())


def living(embedded: Fresh) -> list[str]:
    """All identities that were commissioned and not ended."""
    with connect(embedded.postgres_url) as connection:
        rows = connection.execute(
            "select identity from ledger.identities where ended_us is null order by identity"
        ).fetchall()
    return [row[0] for row in rows]


def contents(embedded: Fresh, identity: str) -> list[str]:
    with connect(embedded.postgres_url) as connection:
        desk = Commissioning(PostgresLedger(connection, "demo"))
        return [one.birth.identity for one in desk.contents(identity)]


def pallet_of(embedded: Fresh) -> str:
    with connect(embedded.postgres_url) as connection:
        ((identity,),) = connection.execute(
            "select identity from ledger.identities where packing = 'pallet' and ended_us is null"
        ).fetchall()
    return str(identity)


def laps(epcs: list[bytes], start_us: int) -> tuple[Passing, ...]:
    """The tags come by one after the other, again and again."""
    return tuple(
        Passing(
            at_us=start_us + AHEAD_US + number * EVERY_US,
            identity="",
            epc=epcs[number % len(epcs)],
            code="",
            antenna=ANTENNAS[number % len(ANTENNAS)],
            rssi_cdbm=-5_500,
        )
        for number in range(len(epcs) * LAPS)
    )


def test_the_portal_reads_back_exactly_the_identities_of_the_pallet_that_was_printed(
    embedded: Fresh, folder: str, tmp_path: Path
) -> None:
    with label_printer() as running:
        code, said = commission(
            folder, "pallet", *ORDER, "--batch", "B7", "--expiry", "2027-03-31", "--printer",
            running.url,
        )  # fmt: skip
        assert code == 0, said
        assert f"{LABELS} labels printed, their tags written and read back" in said
        printer = running.printer
    tags = printer.tags()
    commissioned = living(embedded)
    assert len(tags) == len(commissioned) == LABELS
    assert printer.ignored == set()
    for label in printer.labels:
        identity = identity_of_epc(label.epc)
        assert {identity_of_code(symbol.encode()) for symbol in label.codes} == {identity}
        assert label.texts[:2] == ["Servo motor 400 W", "伺服电机 400 W"]

    start_us = wall_us()
    readers = ReaderThread()
    port = readers.add(reader_server("impinj", laps(tags, start_us), start_us=start_us))
    antennas = "".join(
        f'[[devices.antennas]]\nnumber = {number}\nlocation = "hall"\n' for number in ANTENNAS
    )
    with EmbeddedMqtt(tmp_path / "broker") as broker:
        listener = Listener(broker.port)
        with AgentProcess(tmp_path, scanner_port=1, mqtt_port=broker.port) as agent:
            (tmp_path / "site.toml").write_text(
                f'site = "{SITE}"\n[[zones]]\nid = "hall"\n[[gateways]]\nid = "{GATEWAY}"\n'
                f'[[devices]]\nid = "portal"\ngateway = "{GATEWAY}"\nkind = "llrp"\n'
                f'host = "127.0.0.1"\nport = {port}\n[devices.llrp]\nkeepalive_s = 1.0\n{antennas}'
            )
            agent.start()

            def reads() -> list[Read]:
                return [read for batch in listener.contents() for read in batch.reads]

            wait_until(
                lambda: len({read.identity for read in reads()}) >= LABELS, "all tags of the pallet"
            )
            assert sorted({read.identity for read in reads()}) == commissioned
            assert {read.evidence for read in reads()} == set(tags)
        listener.close()
    readers.close()


def test_a_dry_run_says_it_all_and_takes_nothing(embedded: Fresh, folder: str) -> None:
    code, said = commission(folder, "pallet", *ORDER, "--dry-run")
    assert code == 0
    assert "29 identities would be commissioned" in said
    assert living(embedded) == []
    assert commission(folder, "pallet", *ORDER, "--dry-run")[1] == said


def test_labels_for_an_office_printer_are_a_pdf_with_chinese_text(
    embedded: Fresh, folder: str, tmp_path: Path
) -> None:
    file = tmp_path / "labels.pdf"
    code, said = commission(folder, "pallet", *ORDER, "--batch", "B7", "--pdf", str(file))
    assert code == 0, said
    assert "29 labels written to" in said
    text = "".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(file))
    assert text.count("批号 B7") == LABELS
    assert len(living(embedded)) == LABELS


def test_a_printer_that_runs_out_is_told_and_reprint_goes_on_where_it_stopped(
    embedded: Fresh, folder: str
) -> None:
    with label_printer(Printer(labels_left=10)) as running:
        code, said = commission(folder, "pallet", *ORDER, "--printer", running.url, "--wait", "0")
        assert code == 2
        assert "the printer is out of paper. 10 of 29 labels are out" in said
        assert f"--skip 10 --printer {running.url}" in said
        running.do(lambda: running.server.mend(100))
        identity = pallet_of(embedded)
        code, said = commission(
            folder, "reprint", identity, "--skip", "10", "--printer", running.url
        )
        assert code == 0, said
        printed = sorted(identity_of_epc(epc) for epc in running.printer.tags())
        assert printed == living(embedded) == sorted(contents(embedded, identity))


def test_tags_that_fail_are_void_and_their_labels_come_again(embedded: Fresh, folder: str) -> None:
    printer = Printer()
    printer.tags_to_fail = 4
    with label_printer(printer) as running:
        code, said = commission(folder, "pallet", *ORDER, "--printer", running.url)
        assert code == 0, said
        assert "a tag could not be written, its labels are void (1 of 3)" in said
    assert [label.void for label in printer.labels].count(True) == 4
    assert sorted(map(identity_of_epc, printer.tags())) == living(embedded)


def test_a_roll_without_tags_ends_after_a_few_attempts(folder: str) -> None:
    printer = Printer()
    printer.tags_to_fail = 1_000
    with label_printer(printer) as running:
        code, said = commission(folder, "pallet", *ORDER, "--printer", running.url)
    assert code == 2
    assert "tags cannot be written: are RFID labels loaded" in said
    assert len(printer.labels) == 3 * 3


def test_a_connection_that_ends_leaves_no_label_printed_twice(embedded: Fresh, folder: str) -> None:
    with label_printer() as running:
        running.server.cut_after_labels = 5
        code, said = commission(folder, "pallet", *ORDER, "--printer", running.url)
        assert code == 2
        assert "look whether the last label came out" in said
        assert "4 of 29 labels are out" in said
        commission(folder, "reprint", pallet_of(embedded), "--skip", "5", "--printer", running.url)
        tags = running.printer.tags()
    assert sorted(map(identity_of_epc, tags)) == living(embedded)


def test_nothing_is_commissioned_for_a_printer_that_cannot_be_reached(
    embedded: Fresh, folder: str
) -> None:
    with label_printer() as running:
        url = running.url
    code, said = commission(folder, "pallet", *ORDER, "--printer", url)
    assert code == 2
    assert "cannot be reached" in said
    with label_printer() as running:
        running.printer.head_open = True
        code, said = commission(folder, "pallet", *ORDER, "--printer", running.url, "--wait", "0")
    assert code == 2
    assert "the printer has its head open" in said
    assert living(embedded) == []


def test_retag_decommission_and_unknown_tell_the_life_of_an_identity(
    embedded: Fresh, folder: str
) -> None:
    assert commission(folder, "pallet", *ORDER, "--batch", "B7")[0] == 0
    pallet = pallet_of(embedded)
    case = contents(embedded, pallet)[1]
    with label_printer() as running:
        code, said = commission(folder, "retag", case, "--printer", running.url)
        assert code == 0, said
        (tag,) = running.printer.tags()
    new = identity_of_epc(tag)
    assert contents(embedded, new)[1:] == contents(embedded, pallet)[-6:]
    code, told = tallygate("trace", new, "--data", folder, "--language", "en")
    said = " ".join(told.split())
    assert code == 0
    short = {one: one.removeprefix("https://id.gs1.org/") for one in (case, new, pallet)}
    assert (
        f"commissioned case, holds 6 × {ITEM}, batch B7, in {short[pallet]}, instead of"
        f" {short[case]}"
    ) in said
    code, said = commission(folder, "decommission", case, "--reason", "scrapped")
    assert code == 2
    assert f"was decommissioned; {short[new]} took its place" in said
    assert commission(folder, "unknown") == (0, "every tag that was read is as it should be")
    code, said = commission(folder, "decommission", pallet, "--reason", "scrapped", "--contents")
    assert code == 0, said
    assert living(embedded) == []
    code, told = tallygate("trace", case, "--data", folder, "--language", "zh")
    assert "换标" in told
    assert "赋码" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--item", "80614141123459", "--prefix", "0614141"), "the check digit is 9, must be 8"),
        (("--item", ITEM, "--prefix", "0614142"), "has not the company prefix 0614142"),
        (("--item", ITEM, "--prefix", "061"), "6 to 12 digits"),
        (("--item", ITEM, "--prefix", "0614141", "--expiry", "31.3.27"), "a date such as"),
        (("--item", ITEM, "--prefix", "0614141", "--batch", "批"), "signs that GS1 allows"),
        (("--item", ITEM, "--prefix", "0614141", "--units", "20000"), "more than 10,000 at once"),
        (("--item", ITEM, "--prefix", "0614141", "--printer", "usb:1"), "must be tcp://HOST:PORT"),
        (("--item", ITEM, "--prefix", "0614141", "--pdf", "/no/where.pdf"), "does not exist"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(
    folder: str, arguments: tuple[str, ...], told: str
) -> None:
    code, said = commission(folder, "pallet", *arguments)
    assert code == 2
    assert told in said


def test_serials_of_one_s_own_go_into_a_case_on_long_tags(embedded: Fresh, folder: str) -> None:
    commission(folder, "pallet", *ORDER)
    case = contents(embedded, pallet_of(embedded))[1]
    with label_printer() as running:
        code, said = commission(
            folder, "units", "--item", ITEM, "--prefix", "0614141", "--serial", "AB/1", "--serial",
            "CD-2", "--in", case, "--printer", running.url,
        )  # fmt: skip
        assert code == 0, said
        tags = running.printer.tags()
    assert [len(tag) for tag in tags] == [26, 26]
    assert contents(embedded, case)[-2:] == [identity_of_epc(tag) for tag in tags]
