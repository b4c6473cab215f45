"""Labels as a PDF for office printers: on sheets of A4, with thin lines to cut along."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.pdfgen.canvas import Canvas

from tallygate.labels.layout import Placed, PlacedBars, PlacedMatrix, PlacedText
from tallygate.labels.template import Template, TemplateError

MARGIN_MM = 8
GAP_MM = 2
"""Between two labels."""
LATIN = "Helvetica"
VIEWERS_OWN = "STSong-Light"
"""Adobe's name for a Song font, which viewers bring along or replace by the system's."""
_ASCENT = 0.8
"""Of a text's height, from its upper edge to the base line."""


def pdf(labels: Iterable[Placed], template: Template) -> bytes:
    """All labels, in order. Raises TemplateError where one is larger than a sheet."""
    raw = BytesIO()
    # Invariant: the same labels give the same bytes.
    canvas = Canvas(raw, pagesize=A4, invariant=1)
    canvas.setTitle("Tallygate labels")
    wide = _wide_font(template.pdf_font)
    width, height = A4[0] / mm, A4[1] / mm
    x, y, row = float(MARGIN_MM), float(MARGIN_MM), 0.0
    for placed in labels:
        if max(placed.width_mm - width, placed.height_mm - height) + 2 * MARGIN_MM > 0:
            raise TemplateError(f"a label of {placed.width_mm:g} mm is larger than a sheet of A4")
        if x + placed.width_mm > width - MARGIN_MM:
            x, y, row = MARGIN_MM, y + row + GAP_MM, 0.0
        if y + placed.height_mm > height - MARGIN_MM:
            canvas.showPage()
            x, y, row = MARGIN_MM, MARGIN_MM, 0.0
        _draw(canvas, placed, (x, y), wide, template.dots_per_mm)
        x, row = x + placed.width_mm + GAP_MM, max(row, placed.height_mm)
    canvas.save()
    return raw.getvalue()


def _wide_font(path: Path | None) -> str:
    """The font for Chinese letters, by its name in the PDF."""
    if path is None:
        pdfmetrics.registerFont(UnicodeCIDFont(VIEWERS_OWN))
        return VIEWERS_OWN
    name = f"wide-{path.stem}"
    try:
        pdfmetrics.registerFont(TTFont(name, str(path)))
    except (TTFError, OSError) as error:
        raise TemplateError(f"pdf_font {path}: no TrueType font: {error}") from error
    return name


def _draw(
    canvas: Canvas, placed: Placed, at_mm: tuple[float, float], wide: str, dots_per_mm: int
) -> None:
    """One label; from here on y goes downwards in millimetres."""
    canvas.saveState()
    canvas.translate(at_mm[0] * mm, A4[1] - at_mm[1] * mm)
    canvas.scale(mm, mm)
    canvas.setLineWidth(0.1)
    canvas.setStrokeGray(0.7)
    canvas.rect(0, -placed.height_mm, placed.width_mm, placed.height_mm)
    module_mm = 1 / dots_per_mm
    for line in placed.lines:
        canvas.rect(line.x_mm, -line.y_mm - line.height_mm, line.width_mm, line.height_mm, 0, 1)
    for text in placed.texts:
        _text(canvas, text, wide)
    for matrix in placed.matrices:
        _matrix(canvas, matrix, matrix.module_dots * module_mm)
    for bars in placed.bars:
        _bars(canvas, bars, bars.module_dots * module_mm)
    canvas.restoreState()


def _text(canvas: Canvas, text: PlacedText, wide: str) -> None:
    canvas.setFont(wide if text.wide else LATIN, text.height_mm)
    canvas.drawString(text.x_mm, -text.y_mm - _ASCENT * text.height_mm, text.text)


def _matrix(canvas: Canvas, matrix: PlacedMatrix, module_mm: float) -> None:
    """One path for all dark modules, so that no viewer shows seams between them."""
    path = canvas.beginPath()
    for row, modules in enumerate(matrix.dark):
        for column, dark in enumerate(modules):
            if dark:
                path.rect(
                    matrix.x_mm + column * module_mm,
                    -matrix.y_mm - (row + 1) * module_mm,
                    module_mm,
                    module_mm,
                )
    canvas.drawPath(path, stroke=0, fill=1)


def _bars(canvas: Canvas, bars: PlacedBars, module_mm: float) -> None:
    path = canvas.beginPath()
    x_mm = bars.x_mm
    for place, width in enumerate(bars.bars):
        if place % 2 == 0:
            path.rect(x_mm, -bars.y_mm - bars.height_mm, width * module_mm, bars.height_mm)
        x_mm += width * module_mm
    canvas.drawPath(path, stroke=0, fill=1)
