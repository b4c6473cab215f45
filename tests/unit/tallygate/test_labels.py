"""Labels as scanners find them: every symbol, on paper and in ZPL, leads to the tag's identity."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pypdfium2
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from reportlab.graphics.barcode import code128 as judge

from contracts.commissioning import Commissioned
from contracts.gs1_keys import GS1_CHARACTERS
from contracts.labels import Packing
from edge_agent.core.identity import identity_of_code, identity_of_epc
from firmware_sim.core.printer import Printer
from ledger_sink.core.commissioning import (
    Order,
    label_of,
    needs,
    order_of,
    plan,
    printing_order,
)
from tallygate.labels.code_128 import PATTERNS, code_128
from tallygate.labels.data_matrix import SIZES, Matrix, codewords, gs1_data_matrix
from tallygate.labels.layout import Placed, place
from tallygate.labels.pdf import pdf
from tallygate.labels.template import (
    Template,
    TemplateError,
    default_template,
    read_template,
    template_of,
)
from tallygate.labels.zpl import zpl

NAMES = ("Servo motor 400 W ^~\\_", "伺服电机 400 W")
TEMPLATE = default_template()
SERIALS = st.text(sorted(GS1_CHARACTERS), min_size=1, max_size=20)
QUIET = 6
"""Light modules around a symbol that is looked at."""


def births(**changed: object) -> list[Commissioned]:
    order = Order(
        item="80614141123458", prefix="0614141", cases=1, units=2, pallet=True, batch="B-7/2",
        expiry="2027-03-31",
    )._replace(**changed)  # fmt: skip
    numbers = {series: range(1, count + 1) for series, count in needs(order).items()}
    return printing_order(plan(order_of(order), numbers, 5))


def placed(template: Template = TEMPLATE, **changed: object) -> list[Placed]:
    return [place(label_of(birth, NAMES), template) for birth in births(**changed)]


def image_of(dark: Matrix, scale: int = 4) -> Image.Image:
    side = len(dark)
    image = Image.new("L", (side + 2 * QUIET, side + 2 * QUIET), 255)
    for row, modules in enumerate(dark):
        for column, module in enumerate(modules):
            if module:
                image.putpixel((column + QUIET, row + QUIET), 0)
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)


def scanned(image: Image.Image) -> list[tuple[str, str]]:
    """Symbology identifier and text of each code on a picture."""
    return sorted(
        (code.symbology_identifier, code.bytes.decode("latin-1"))
        for code in zxingcpp.read_barcodes(image)
    )


@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size.modules))
def test_a_scanner_reads_the_gs1_data_matrix_of_every_size(size: object) -> None:
    """As many codewords as the symbol holds, and one fewer, which it pads."""
    data: int = size.data  # type: ignore[attr-defined]
    side: int = size.modules  # type: ignore[attr-defined]
    text = (
        hashlib.shake_256(bytes([side]))
        .hexdigest(400)
        .translate({ord(d): None for d in "0123456789"})
    )
    for count in (data - 1, data - 2):
        exact = text[:count]
        matrix = gs1_data_matrix(exact)
        assert len(codewords(exact)) == count + 1
        assert len(matrix) == side
        assert scanned(image_of(matrix)) == [("]d2", exact)]


def test_what_is_too_long_for_a_symbol_is_refused() -> None:
    with pytest.raises(ValueError, match="176 codewords are more"):
        gs1_data_matrix("x" * 175)


def test_the_patterns_of_code_128_are_those_of_another_implementation() -> None:
    """Theirs are letters: capitals are bars, the others spaces."""
    theirs = judge._patterns
    for value, pattern in enumerate(PATTERNS[:106]):
        letters = [chr((64, 96)[place % 2] + int(width)) for place, width in enumerate(pattern)]
        assert "".join(letters) == theirs[value]


@settings(max_examples=40, deadline=None)
@given(SERIALS, st.none() | SERIALS)
def test_zpl_carries_any_serial_and_batch_to_the_tag_and_through_every_symbol(
    serial: str, batch: str | None
) -> None:
    """The printer's own reading of ZPL is what is asked."""
    (birth,) = births(
        cases=0, units=1, pallet=False, serials=(serial,), batch=batch or "", expiry=""
    )
    printer = Printer()
    wide = TEMPLATE.model_copy(update={"unit": TEMPLATE.pallet, "dots_per_mm": 12})
    printer.receive(zpl(place(label_of(birth, NAMES), wide), wide))
    (label,) = printer.labels
    assert printer.ignored == set()
    assert identity_of_epc(label.epc) == birth.identity
    assert [code[:3] for code in label.codes] == ["]d2", "]Q1", "]C1"]
    assert {identity_of_code(code.encode()) for code in label.codes} == {birth.identity}


@settings(max_examples=40, deadline=None)
@given(SERIALS)
def test_a_scanner_reads_what_code_128_was_given(serial: str) -> None:
    text = f"018061414112345821{serial}"
    bars = code_128(text)
    image = Image.new("L", (2 * (sum(bars) + 40), 60), 255)
    left = 40
    for number, width in enumerate(bars):
        if number % 2 == 0:
            image.paste(0, (left, 5, left + 2 * width, 55))
        left += 2 * width
    assert scanned(image) == [("]C1", text)]


def test_the_labels_of_a_pallet_come_from_the_inside_out() -> None:
    assert [one.label.packing for one in placed()] == [
        Packing.UNIT, Packing.UNIT, Packing.CASE, Packing.PALLET,
    ]  # fmt: skip


def test_texts_arrive_as_they_are_and_empty_fields_leave_no_line() -> None:
    printer = Printer()
    for one in placed(batch=""):
        printer.receive(zpl(one, TEMPLATE))
    texts = printer.labels[0].texts
    assert texts[:2] == list(NAMES)
    assert "S/N 序列号 1" in texts
    assert not [text for text in texts if "批号" in text]
    assert printer.labels[-1].texts[-1] == "SSCC 006141410000000012"


@pytest.mark.parametrize("page", [0, 1])
def test_every_symbol_on_paper_leads_to_an_identity_of_the_pallet(page: int) -> None:
    """At the resolution of an ordinary printer."""
    labels = placed(cases=2)
    document = pypdfium2.PdfDocument(pdf(labels, TEMPLATE))
    assert len(document) == 2
    image = document[page].render(scale=300 / 72).to_pil()
    found = {identity_of_code((aim + text).encode("latin-1")) for aim, text in scanned(image)}
    on_page = labels[:6] if page == 0 else labels[6:]
    assert found == {one.label.identity for one in on_page}
    assert len(scanned(image)) == sum(len(one.matrices) + len(one.bars) for one in on_page)


def test_the_same_labels_give_the_same_pdf_and_it_holds_the_chinese_text() -> None:
    raw = pdf(placed(), TEMPLATE)
    assert raw == pdf(placed(), TEMPLATE)
    text = pypdfium2.PdfDocument(raw)[0].get_textpage().get_text_range()
    for told in ("伺服电机", "批号 B-7/2", "有效期 2027-03-31", "S/N 序列号 1"):
        assert told in text


def test_a_font_that_is_none_is_named() -> None:
    template = TEMPLATE.model_copy(update={"pdf_font": Path(__file__)})
    with pytest.raises(TemplateError, match="no TrueType font"):
        pdf(placed(), template)


DEFAULT = (Path(__file__).parents[3] / "tallygate" / "labels" / "default.toml").read_text("utf-8")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('value = "{name}"', 'value = "{colour}"', "unit.texts.0.value: .*colour: no field"),
        ("x_mm = 24", "x_mm = 40", "unit: .*texts.2 goes beyond the label of 60 mm x 40 mm"),
        ('symbol = "qr"', 'symbol = "pdf417"', "pallet.symbols.1.symbol"),
        ("dots_per_mm = 8", "dots_per_mm = 7", "dots_per_mm"),
        ("width_mm = 60", "width_cm = 60", "unit.width_cm: Extra inputs"),
        ("E:SIMSUN.TTF", "E:^XZ.TTF", "chinese_font"),
        ("[unit]", "[unit", "not TOML"),
    ],
)
def test_each_mistake_in_a_template_is_named_with_its_place(
    before: str, after: str, told: str
) -> None:
    with pytest.raises(TemplateError, match=told):
        template_of(DEFAULT.replace(before, after, 1), "mine.toml")


def test_a_template_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="cannot be read"):
        read_template(tmp_path / "none.toml")
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(TemplateError, match="not UTF-8"):
        read_template(tmp_path / "mine.toml")
    (tmp_path / "good.toml").write_text(DEFAULT, "utf-8")
    assert read_template(tmp_path / "good.toml") == TEMPLATE


def test_a_symbol_without_room_is_refused_not_shrunk() -> None:
    small = "x_mm = 2, y_mm = 14, width_mm = 20, height_mm = 20, symbol"
    template = template_of(DEFAULT.replace(small, small.replace("20", "4")), "mine.toml")
    with pytest.raises(TemplateError, match=r"gs1_datamatrix with this content needs 5\.0 mm"):
        placed(template)
