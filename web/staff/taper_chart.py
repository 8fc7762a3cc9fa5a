"""Draw a taper as stairs: geometry in attributes, color by class, the same numbers in the table beside it."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from markupsafe import Markup

from web.words import amount, short_day

_LEFT, _RIGHT, _TOP, _BELOW = 30, 8, 14, 24
_BEFORE = 2  #: Columns of the level that is taken now, to step down from.


def stairs(
    start: Decimal, levels: Sequence[Decimal], starts_on: date, *, width: int = 540, height: int = 160
) -> Markup:
    """Return the chart of one version: the level before it, then each day's most pills."""
    shown = [start] * _BEFORE + list(levels)
    cell = (width - _LEFT - _RIGHT) / len(shown)
    base = height - _BELOW
    parts = [_grid(value, start, base, width) for value in (Decimal(0), start / 2, start)]
    parts += [_bar(index, level, start, cell, base, len(shown)) for index, level in enumerate(shown)]
    parts.append(_outline(shown, start, cell, base))
    ends_on = starts_on + timedelta(days=len(levels) - 1)
    parts += [
        f'<text x="{_LEFT + cell:.1f}" y="{height - 6}" text-anchor="middle">now</text>',
        f'<text x="{_LEFT + (_BEFORE + 0.5) * cell:.1f}" y="{height - 6}">{short_day(starts_on)[4:]}</text>',
        f'<text x="{width - _RIGHT}" y="{height - 6}" text-anchor="end">{short_day(ends_on)[4:]}</text>',
    ]
    said = ", ".join(amount(level) for level in levels)
    # Numbers and our own words; what came from outside is escaped.
    return Markup(  # noqa: S704  # nosec B704
        f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="Most pills of each day: {said}">{"".join(parts)}</svg>'
    )


def _y(value: Decimal, start: Decimal, base: int) -> float:
    return base - float(value / start) * (base - _TOP)


def _grid(value: Decimal, start: Decimal, base: int, width: int) -> str:
    y, kind = _y(value, start, base), "axis" if value == 0 else "grid"
    return (
        f'<line class="{kind}" x1="{_LEFT}" x2="{width - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{amount(value)}</text>'
    )


def _bar(index: int, level: Decimal, start: Decimal, cell: float, base: int, columns: int) -> str:
    x, y, width = _LEFT + index * cell, _y(level, start, base), max(1.0, cell - 2)
    kind = "bar-bg" if index < _BEFORE else "plan"
    bar = f'<rect class="{kind}" x="{x + 1:.1f}" y="{y:.1f}" width="{width:.1f}" height="{base - y:.1f}"/>'
    if columns > 24 and index % 2:
        return bar  # Numbers of neighbors would touch; the table holds them all.
    at = f'x="{x + cell / 2:.1f}" y="{y + (15 if base - y > 18 else -5):.1f}"'
    return f'{bar}<text class="strong" {at} text-anchor="middle">{amount(level)}</text>'


def _outline(shown: Sequence[Decimal], start: Decimal, cell: float, base: int) -> str:
    steps = (
        f"{_LEFT + index * cell:.1f} {_y(level, start, base):.1f}H{_LEFT + (index + 1) * cell:.1f}"
        for index, level in enumerate(shown)
    )
    return f'<path class="plan-top" d="M{"L".join(steps)}"/>'
