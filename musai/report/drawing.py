"""Pictures as SVG text. Colours come from the page's classes; sizes are in the units of each picture's viewBox."""

from __future__ import annotations

from collections.abc import Sequence

from musai.report.markup import escape

BAR_WIDTH = 200
LINE_WIDTH, LINE_HEIGHT = 220, 44
PLANE = 400
ROLL_WIDTH, ROLL_HEIGHT = 480, 110


def picture(
    width: float, height: float, content: str, label: str = "", classes: str = "", stretched: bool = False
) -> str:
    """An <svg>; without a `label` the text beside it says all, and readers of screens are told nothing."""
    about = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true" focusable="false"'
    shape = ' preserveAspectRatio="none"' if stretched else ""
    return f'<svg class="{classes}" viewBox="0 0 {width:g} {height:g}"{shape} {about}>{content}</svg>'


def bar(value: float, most: float, before: Sequence[float] = ()) -> str:
    """A bar of `value` on a scale that ends at `most`, with a stroke for each of the values before."""
    scale = BAR_WIDTH / (most or 1)
    marks = "".join(f'<path class="mark" d="M{min(x, most) * scale:.1f} 1v12"/>' for x in before)
    return picture(BAR_WIDTH, 14, f'<rect class="bar" y="3" width="{value * scale:.1f}" height="8" rx="2"/>{marks}')


def shares(parts: Sequence[tuple[str, float]], label: str) -> str:
    """One bar in parts: (class, amount). It is stretched to the width at hand."""
    total = sum(amount for _, amount in parts) or 1
    pieces, left = [], 0.0
    for kind, amount in parts:
        width = 600 * amount / total
        pieces.append(f'<rect class="{kind}" x="{left:.2f}" width="{width:.2f}" height="16"/>')
        left += width
    return picture(600, 16, "".join(pieces), label, "shares", stretched=True)


def intervals(rows: Sequence[tuple[str, float, float | None, float | None, float | None]], label: str) -> str:
    """Rows (name, value, low, high, baseline): a dot with its interval, and a hollow diamond for the baseline."""
    known = [number for _, *numbers in rows for number in numbers if number is not None]
    low, high = min([*known, 0]), max([*known, 0])
    scale = 210 / ((high - low) or 1)

    def x(number: float) -> float:
        return 60 + (number - low) * scale

    lines = [f'<path class="axis" d="M{x(0):.1f} 0V{22 * len(rows)}"/>']
    for place, (title, value, least, most, baseline) in enumerate(rows):
        y = 22 * place + 11
        lines.append(f'<text class="tick" x="52" y="{y + 4}" text-anchor="end">{escape(title)}</text>')
        if least is not None and most is not None:
            lines.append(f'<path class="interval" d="M{x(least):.1f} {y}H{x(most):.1f}"/>')
        if baseline is not None:
            lines.append(f'<path class="baseline" d="M{x(baseline):.1f} {y - 5}l5 5-5 5-5-5z"/>')
        lines.append(f'<circle class="dot" cx="{x(value):.1f}" cy="{y}" r="4.5"/>')
    return picture(280, 22 * len(rows), "".join(lines), label, "intervals")


def line(points: Sequence[tuple[float, float | None, float | None]], label: str) -> str:
    """Nights from left to right, (value, low, high): a line within the band of its intervals."""
    known = [number for point in points for number in point if number is not None]
    low, high = min(known), max(known)
    scale = (LINE_HEIGHT - 12) / ((high - low) or 1)
    step = (LINE_WIDTH - 12) / max(len(points) - 1, 1)

    def at(place: int, number: float | None, otherwise: float) -> str:
        y = LINE_HEIGHT - 6 - ((otherwise if number is None else number) - low) * scale
        return f"{6 + place * step:.1f} {y:.1f}"

    upper = [at(place, point[2], point[0]) for place, point in enumerate(points)]
    lower = [at(place, point[1], point[0]) for place, point in enumerate(points)]
    middle = [at(place, point[0], point[0]) for place, point in enumerate(points)]
    band = f'<path class="band" d="M{"L".join([*upper, *reversed(lower)])}z"/>'
    end = middle[-1].split()
    dot = f'<circle class="dot" cx="{end[0]}" cy="{end[1]}" r="3"/>'
    return picture(
        LINE_WIDTH, LINE_HEIGHT, f'{band}<path class="line" d="M{"L".join(middle)}"/>{dot}', label, "history"
    )


def points(
    spots: Sequence[tuple[float, float, int, int]], words: Sequence[tuple[float, float, str, str]], label: str
) -> str:
    """Spots (x, y in -1 to 1, kind, number of the track) over crossing axes, with words (x, y, anchor, text)."""
    half = PLANE / 2
    reach = half - 24
    axes = f'<path class="axis" d="M{half} 24V{PLANE - 24}M24 {half}H{PLANE - 24}"/>'
    texts = "".join(
        f'<text class="tick" x="{half + reach * x:.0f}" y="{half - reach * y:.0f}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
        for x, y, anchor, text in words
    )
    dots = "".join(
        f'<circle class="k{kind}" cx="{half + reach * x:.1f}" cy="{half - reach * y:.1f}" r="3.2" data-t="{track}"/>'
        for x, y, kind, track in spots
    )
    return picture(PLANE, PLANE, f"{axes}{dots}{texts}", label, "points")


def roll(notes: Sequence[tuple[float, float, int, int]], label: str) -> str:
    """A piano roll: notes (start and length in quarters, MIDI pitch, number of the part), time to the right."""
    end = max(start + length for start, length, _, _ in notes)
    lowest, highest = min(note[2] for note in notes), max(note[2] for note in notes)
    across, height = ROLL_WIDTH / (end or 1), ROLL_HEIGHT / (highest - lowest + 1)
    thick = max(min(height, 6), 1.2)
    bars = "".join(f"M{quarter * across:.1f} 0V{ROLL_HEIGHT}" for quarter in range(0, int(end) + 1, 4))
    shapes: dict[int, list[str]] = {}
    for start, length, pitch, part in notes:
        y = (highest - pitch + 0.5) * height - thick / 2
        long = max(length * across - 0.6, 0.8)
        box = f"M{start * across:.1f} {y:.1f}h{long:.1f}v{thick:.1f}h-{long:.1f}z"
        shapes.setdefault(part % 6, []).append(box)
    drawn = "".join(f'<path class="k{part}" d="{"".join(boxes)}"/>' for part, boxes in sorted(shapes.items()))
    return picture(ROLL_WIDTH, ROLL_HEIGHT, f'<path class="grid" d="{bars}"/>{drawn}', label, "roll")
