"""The simulated label printer: what it makes of ZPL, whole or byte by byte, and its troubles."""

from __future__ import annotations

from firmware_sim.core.printer import Printer
from tallygate.labels.printer import Status, status_of

EPC = "3074257BF7194E4000001A85"
LABEL = (
    "^XA^CI28^LH0,0\n^PW480^LL320\n^RS8,,,2,N\n^RFW,H,,,A^FD" + EPC + "^FS\n"
    "^RFR,H,2,12,1^FN1^FS\n^FH_^HV1,24,EPC=,_0D_0A,L^FS\n"
    "^FO16,16^A0N,32^FH\\^FDOne \\5E two 批号^FS\n"
    "^FO1,1^BXN,4,200,22,22,,_^FD_101806141411234582 1A__B_1210^FS\n"
    "^FO1,1^BCN,99,N,N,N,N^FD>;>80106>6A>0^FS\n"
    "^FO1,1^BQN,2,5^FDMA,https://id.gs1.org/01/1^FS\n^PQ1^XZ\n"
).encode()


def said(printer: Printer) -> Status:
    """What it answers when asked how it is."""
    lines = printer.receive(b"~HS").decode().splitlines()
    return status_of([line.strip("\x02\x03") for line in lines])


def test_a_label_is_kept_as_people_scanners_and_readers_find_it() -> None:
    printer = Printer()
    assert printer.receive(LABEL) == f"EPC={EPC}\r\n".encode()
    (label,) = printer.labels
    assert label.texts == ["One ^ two 批号"]
    assert label.codes == [
        "]d201806141411234582 1A_B\x1d210", "]C10106A>", "]Q1https://id.gs1.org/01/1",
    ]  # fmt: skip
    assert printer.tags() == [bytes.fromhex(EPC)]
    assert printer.ignored == set()


def test_bytes_may_come_one_by_one() -> None:
    whole, slow = Printer(), Printer()
    answer = whole.receive(b"noise" + LABEL + b"~HS" + LABEL)
    assert b"".join(slow.receive(bytes([byte])) for byte in b"noise" + LABEL + b"~HS" + LABEL) == (
        answer
    )
    assert slow.labels == whole.labels
    assert len(whole.labels) == 2


def test_a_tag_that_cannot_be_written_is_void_and_the_next_one_is_tried() -> None:
    printer = Printer()
    printer.tags_to_fail = 3
    assert printer.receive(LABEL) == f"EPC={'0' * 24}\r\n".encode()
    assert [label.void for label in printer.labels] == [True, True]
    assert printer.receive(LABEL) == f"EPC={EPC}\r\n".encode()
    assert [label.void for label in printer.labels] == [True, True, True, False]
    assert printer.tags() == [bytes.fromhex(EPC)]


def test_labels_wait_while_something_is_wrong_and_come_out_when_it_is_mended() -> None:
    printer = Printer(labels_left=1)
    printer.receive(LABEL)
    assert printer.receive(LABEL) == b""
    assert said(printer) == Status("is out of paper", 1)
    printer.labels_left, printer.head_open = 5, True
    assert said(printer) == Status("has its head open", 1)
    printer.head_open, printer.paused = False, True
    assert said(printer) == Status("is paused", 1)
    printer.paused = False
    assert printer.go_on() == f"EPC={EPC}\r\n".encode()
    assert said(printer) == Status("", 0)


def test_a_printer_without_rfid_prints_and_says_nothing() -> None:
    printer = Printer(has_rfid=False)
    assert printer.receive(LABEL) == b""
    assert len(printer.labels) == 1
    assert printer.tags() == []


def test_commands_that_it_does_not_know_are_kept() -> None:
    printer = Printer()
    printer.receive(b"^XA^ZZ1^FDx^FS^XZ")
    assert printer.ignored == {"ZZ"}
    assert printer.labels[0].texts == ["x"]
