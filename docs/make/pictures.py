"""``python docs/make/pictures.py``: the drawings in ``docs/concepts``, one for each concept.

Only shapes with presentation attributes, no style and no font file, so that any page may show them under any policy.
Each has a title and a description for whoever does not see it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from html import escape
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "concepts"
INK, DIM, RULE, BLUE, SOFT, GOOD, WARN = "#1d2024", "#5d636b", "#c9c5bb", "#245a8b", "#d6e4f0", "#1c6240", "#a3232b"
FONT = 'font-family="system-ui, sans-serif" font-size="12"'


class Picture:
    """Shapes on a card of so many units; what is drawn later stands in front."""

    def __init__(self, width: int, height: int, title: str, description: str) -> None:
        self.width, self.height = width, height
        self._head = f"<title>{escape(title)}</title>\n<desc>{escape(description)}</desc>\n"
        self._shapes: list[str] = []

    def box(
        self, x: float, y: float, width: float, height: float, *lines: str, fill: str = "#fff", ink: str = INK
    ) -> None:
        self._add(f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{fill}" stroke="{ink}"/>')
        first = y + height / 2 + 4.5 - 8.5 * (len(lines) - 1)
        for number, line in enumerate(lines):
            self.text(x + width / 2, first + 17 * number, line, ink=ink, bold=number == 0 and len(lines) > 1)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        ink: str = INK,
        bold: bool = False,
        anchor: str = "middle",
        size: int = 12,
    ) -> None:
        weight = ' font-weight="600"' if bold else ""
        large = f' font-size="{size}"' if size != 12 else ""
        self._add(f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{ink}"{weight}{large}>{escape(text)}</text>')

    def arrow(
        self, *points: tuple[float, float], ink: str = DIM, label: str = "", at: tuple[float, float] = (0, 0)
    ) -> None:
        """Through the points; the label stands at a place of its own."""
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        (x0, y0), (x, y) = points[-2:]
        angle = math.degrees(math.atan2(y - y0, x - x0))
        self._add(f'<polyline points="{path}" fill="none" stroke="{ink}" stroke-width="1.5"/>')
        self._add(f'<path d="M0 0l-9-4.5v9z" fill="{ink}" transform="translate({x:g} {y:g}) rotate({angle:.0f})"/>')
        if label:
            self.text(*at, label, ink=ink)

    def line(self, *points: tuple[float, float], ink: str = BLUE, width: float = 2, dashed: bool = False) -> None:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashes = ' stroke-dasharray="5 4"' if dashed else ""
        self._add(f'<polyline points="{path}" fill="none" stroke="{ink}" stroke-width="{width}"{dashes}/>')

    def dot(
        self, x: float, y: float, radius: float = 5, *, fill: str = RULE, ink: str = "none", width: float = 1.5
    ) -> None:
        self._add(f'<circle cx="{x:g}" cy="{y:g}" r="{radius}" fill="{fill}" stroke="{ink}" stroke-width="{width}"/>')

    def bar(self, x: float, y: float, width: float, height: float, fill: str) -> None:
        self._add(f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{fill}"/>')

    def _add(self, shape: str) -> None:
        self._shapes.append(shape)

    def __str__(self) -> str:
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" width="{self.width}" '
            f'height="{self.height}" role="img" {FONT}>\n{self._head}'
            f'<rect width="{self.width}" height="{self.height}" rx="8" fill="#fbfaf7"/>\n'
            + "\n".join(self._shapes)
            + "\n</svg>\n"
        )


def loop() -> Picture:
    made = Picture(
        720, 250, "The loop", "A label goes from the tool to nextlabel, which learns and puts the queue in order."
    )
    made.box(20, 95, 110, 56, "Annotators", "label")
    made.box(190, 95, 130, 56, "Label Studio", "tasks, labels, queue", fill=SOFT, ink=BLUE)
    made.arrow((130, 115), (188, 115))
    made.arrow((190, 135), (132, 135))
    steps = [
        (400, 30, "1 pull", "what changed"),
        (560, 30, "2 learn", "a calibrated model"),
        (560, 110, "3 judge", "against the champion"),
    ]
    steps += [(560, 190, "4 rank", "open tasks"), (400, 190, "5 write, read back", "the top 200")]
    for x, y, name, what in steps:
        made.box(x, y, 140, 46, name, what)
    made.arrow((255, 95), (255, 53), (398, 53), label="webhook: only a hint", at=(325, 45))
    made.arrow((540, 53), (558, 53))
    made.arrow((630, 76), (630, 108))
    made.arrow((630, 156), (630, 188))
    made.arrow((560, 213), (542, 213))
    made.arrow((400, 213), (255, 213), (255, 153), label="one new version", at=(325, 205))
    return made


def audits() -> Picture:
    made = Picture(
        720,
        240,
        "Audit tasks",
        "One task in ten is drawn at random, kept from every strategy, and measures the accuracy.",
    )
    audit = {(2, 1), (7, 0), (5, 3), (11, 2), (9, 4), (0, 4), (13, 1)}
    for column in range(14):
        for row in range(5):
            known = (column, row) in audit
            made.dot(
                34 + 20 * column,
                60 + 26 * row,
                7 if known else 5.5,
                fill="#fff" if known else RULE,
                ink=BLUE if known else "none",
                width=2.5,
            )
    made.text(164, 30, "all tasks; ringed: audit tasks, one in ten at random", ink=DIM)
    made.text(164, 210, "which they are, no strategy sees", ink=DIM)
    made.box(370, 45, 150, 50, "the order", "chooses from the rest")
    made.box(370, 135, 150, 50, "audit labels", "without a guess shown", ink=BLUE)
    made.arrow((315, 100), (368, 72))
    made.arrow((315, 125), (368, 158), ink=BLUE)
    made.text(615, 62, "hard tasks:", ink=DIM)
    made.text(615, 80, "say little of all tasks", ink=DIM)
    made.arrow((520, 160), (560, 160), ink=BLUE)
    made.line((575, 160), (690, 160), ink=RULE, width=6)
    made.line((630, 160), (672, 160), width=6)
    made.dot(653, 160, 6, fill=BLUE)
    made.text(632, 190, "accuracy on all tasks", ink=BLUE)
    return made


def versions() -> Picture:
    made = Picture(
        720,
        230,
        "Versions and the gate",
        "A new version serves unless checks or labels that neither model saw speak against it.",
    )
    made.box(20, 88, 120, 52, "challenger", "just learned")
    made.box(190, 88, 130, 52, "checks", "labels lost? fell?")
    made.box(370, 88, 150, 52, "beside the champion", "on unseen labels")
    made.box(580, 30, 120, 52, "serves", "the new champion", ink=GOOD)
    made.box(580, 150, 120, 52, "turned down", "with its reason", ink=WARN)
    made.arrow((140, 114), (188, 114))
    made.arrow((320, 114), (368, 114))
    made.arrow((520, 105), (578, 62), ink=GOOD, label="not clearly worse", at=(510, 52))
    made.arrow((520, 123), (578, 170), ink=WARN, label="clearly worse", at=(505, 170))
    made.arrow((255, 140), (255, 176), (578, 182), ink=WARN, label="a check that stops it fails", at=(375, 198))
    return made


def order() -> Picture:
    made = Picture(
        720,
        250,
        "Uncertainty and order",
        "Of the most unsure tasks the central ones of clusters are asked; some places go to others.",
    )
    heights = [70, 88, 96, 84, 66, 52, 41, 34, 28, 22, 18, 14]
    for number, height in enumerate(heights):
        made.bar(30 + 16 * number, 160 - height, 13, height, BLUE if number > 7 else RULE)
    made.line((28, 161), (224, 161), ink=DIM, width=1)
    made.text(126, 182, "open tasks by uncertainty", ink=DIM)
    made.text(126, 34, "1  the most unsure ones", bold=True)
    made.arrow((230, 110), (268, 110))
    made.text(372, 34, "2  clustered, one of each asked", bold=True)
    for cx, cy, offsets in (
        (310, 85, (0, 14, 22)),
        (420, 75, (0, 12, 20)),
        (340, 145, (0, 16, 20)),
        (440, 145, (0, 13, 22)),
    ):
        for turn, far in enumerate((*offsets, 18, 24)):
            made.dot(
                cx + far * math.cos(turn * 1.7), cy + far * math.sin(turn * 1.7), 5.5, fill=BLUE if turn == 0 else RULE
            )
    made.arrow((478, 110), (516, 110))
    made.text(612, 34, "3  the window", bold=True)
    for number in range(7):
        fill = {2: "#fff", 5: SOFT}.get(number, "#fff")
        made.box(
            530,
            48 + 22 * number,
            165,
            18,
            ("unsure", "unsure", "audit task", "unsure", "unsure", "like nothing labeled", "unsure")[number],
            fill=fill,
            ink=BLUE if number == 2 else DIM,
        )
    made.text(612, 222, "ten by ten; read back as it is served", ink=DIM)
    return made


def suspects() -> Picture:
    made = Picture(720, 220, "Suspected labels", "Each label is held against a model that was fitted without it.")
    for fold in range(5):
        made.box(
            20,
            35 + 32 * fold,
            170,
            24,
            f"fold {fold + 1}",
            fill=SOFT if fold == 2 else "#fff",
            ink=BLUE if fold == 2 else DIM,
        )
    made.text(105, 22, "labels", ink=DIM)
    made.box(270, 40, 150, 50, "a model", "of the other folds")
    made.box(270, 130, 150, 50, "fold 3", "its labels", fill=SOFT, ink=BLUE)
    made.arrow((190, 47), (268, 60))
    made.arrow((190, 175), (240, 150), (240, 80), (268, 72))
    made.arrow((190, 111), (268, 152), ink=BLUE)
    made.box(500, 40, 190, 50, "predicts: not spam", "97 %")
    made.box(500, 130, 190, 50, "label: spam", "suspected", ink=WARN)
    made.arrow((420, 65), (498, 65))
    made.arrow((420, 155), (498, 155), ink=BLUE)
    made.text(595, 205, "a person decides; nothing is relabeled", ink=DIM)
    return made


def stopping() -> Picture:
    made = Picture(720, 250, "When to stop", "A curve that flattens, and the four signs that are watched.")
    curve = [(60 + 3.4 * step, 195 - 150 * (1 - math.exp(-step / 26))) for step in range(100)]
    made.line((60, 40), (60, 196), (405, 196), ink=DIM, width=1)
    made.line(*curve)
    made.line((262, 40), (262, 196), ink=GOOD, width=1.5, dashed=True)
    made.text(262, 32, "advice to stop", ink=GOOD)
    made.text(232, 222, "labels", ink=DIM)
    made.text(52, 112, "accuracy", ink=DIM, anchor="end", size=11)
    for number, words in enumerate(
        (
            "predictions are stable",
            "the next 100 labels bring little",
            "the expected error hardly falls",
            "the accuracy wanted is reached",
        )
    ):
        y = 62 + 38 * number
        made.dot(450, y - 4, 8, fill="#fff", ink=GOOD if number < 2 else DIM, width=2)
        if number < 2:
            made.line((446, y - 4), (449, y), (455, y - 9), ink=GOOD)
        made.text(470, y, words, anchor="start", ink=INK if number < 2 else DIM)
    made.text(450, 222, "two agree: stop", anchor="start", ink=GOOD, bold=True)
    return made


def annotators() -> Picture:
    made = Picture(
        720,
        220,
        "Several annotators",
        "Tasks that several people labeled, what most of them gave, and how far they agree.",
    )
    people, labels = ("Ana", "Ben", "Cem"), ("sss–", "shs–", "shhh", "ss–s", "–hhh")
    for column, name in enumerate(people):
        made.text(140 + 80 * column, 32, name, bold=True)
    for row in range(5):
        made.text(60, 62 + 32 * row, f"task {row + 1}", ink=DIM)
        for column in range(3):
            given = ("spam", "ham", "")["sh–".index(labels[row][column])]
            if given:
                odd = given[0] != ("s", "s", "h", "s", "h")[row]
                made.box(106 + 80 * column, 46 + 32 * row, 68, 24, given, fill="#fff", ink=WARN if odd else DIM)
        made.arrow((345, 58 + 32 * row), (385, 58 + 32 * row))
        made.box(392, 46 + 32 * row, 68, 24, ("spam", "spam", "ham", "spam", "ham")[row], fill=SOFT, ink=BLUE)
    made.text(426, 32, "learned", bold=True, ink=BLUE)
    for number, words in enumerate(
        (
            "how far people agree (alpha)",
            "who is right how often",
            "whose labels became worse",
            "on which tasks they differ",
        )
    ):
        made.text(500, 62 + 36 * number, words, anchor="start", ink=DIM)
    return made


PICTURES: tuple[Callable[[], Picture], ...] = (loop, audits, versions, order, suspects, stopping, annotators)


def main() -> None:
    for draw in PICTURES:
        (FOLDER / f"{draw.__name__}.svg").write_text(str(draw()), encoding="utf-8")


if __name__ == "__main__":
    main()
