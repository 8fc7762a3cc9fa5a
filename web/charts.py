"""Draw SVG on the server. No style attributes (strict CSP): geometry in attributes, color by class."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

DAYS = 42


@dataclass(frozen=True)
class Day:
    """One day of the clinical chart; None is "not asked" or "no answer", which is never the same as 0."""

    day: int
    pain: float | None = None
    pills: float | None = None
    plan: float | None = None
    withdrawal: float | None = None
    is_silent: bool = False
    has_alert: bool = False


def strip(states: str, today: int, wide: bool = False, name: str = "Patient") -> Markup:
    """Draw six weeks as one line: y answered, n no answer, e text only, f flagged, anything else to come."""
    step, height = (8, 28) if wide else (4, 16)
    base = height - (12 if wide else 3)
    bars = [
        _bar(state, index * step + 1, step - 2, base)
        for index, state in enumerate(states.ljust(DAYS, ".")[:DAYS])
    ]
    if 0 < today <= DAYS:
        bars.append(
            f'<rect class="now" x="{(today - 1) * step + 1}" y="{base + 1}" width="{step - 2}" height="2"/>'
        )
    if wide:
        bars += [
            f'<text x="{week * 7 * step + 1}" y="{height}">{"Week 1" if week == 0 else week + 1}</text>'
            for week in range(6)
        ]
    answered, silent, flagged = states.count("y") + states.count("f"), states.count("n"), states.count("f")
    label = f"{name}, day {today} of {DAYS}: answered {answered}, no answer {silent}, flagged {flagged}"
    # Numbers and our own words; what came from outside is escaped.
    return Markup(  # noqa: S704  # nosec B704
        f'<svg class="strip{" strip-wide" if wide else ""}" viewBox="0 0 {DAYS * step} {height}" role="img" '
        f'aria-label="{escape(label)}" preserveAspectRatio="xMinYMid meet">{"".join(bars)}</svg>'
    )


def _bar(state: str, x: float, width: float, base: float) -> str:
    if state == "y":
        return f'<rect class="yes" x="{x}" y="{base - 9}" width="{width}" height="9"/>'
    if state == "n":
        return f'<rect class="no" x="{x + 0.5}" y="{base - 8.5}" width="{width - 1}" height="8"/>'
    if state == "e":
        return f'<rect class="edu" x="{x}" y="{base - 3}" width="{width}" height="3"/>'
    if state == "f":
        return (
            f'<path class="flag" d="M{x - 1} {base - 12}h{width + 2}l-{(width + 2) / 2} 4z"/>'
            f'<rect class="flag" x="{x}" y="{base - 8}" width="{width}" height="8"/>'
        )
    return f'<rect class="todo" x="{x}" y="{base - 2}" width="{width}" height="2"/>'


def _rect(kind: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'


class _Chart:
    """One axis of days with three panels above each other."""

    LEFT, RIGHT, WIDTH = 30, 8, 360

    def __init__(self, rows: Sequence[Day], last: int) -> None:
        self.rows, self.last = rows, last
        self.cell = (self.WIDTH - self.LEFT - self.RIGHT) / last
        self.out: list[str] = []

    def x(self, day: int) -> float:
        return self.LEFT + (day - 0.5) * self.cell

    def panel(
        self, top: int, height: int, high: float, title: str, ticks: Sequence[float]
    ) -> Callable[[float], float]:
        def y(value: float) -> float:
            return top + height - min(value, high) * height / high

        self.out.append(f'<text class="strong" x="0" y="{top - 11}">{title}</text>')
        for tick in ticks:
            kind = "axis" if tick == 0 else "grid"
            self.out.append(
                f'<line class="{kind}" x1="{self.LEFT}" x2="{self.WIDTH - self.RIGHT}" '
                f'y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>'
                f'<text x="{self.LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>'
            )
        return y

    def gaps(self) -> None:
        self.out += [
            f'<rect class="gap" x="{self.x(row.day) - self.cell / 2 + 1:.1f}" y="26" '
            f'width="{self.cell - 2:.1f}" height="318"/>'
            for row in self.rows
            if row.is_silent
        ]

    def pain(self) -> None:
        y = self.panel(26, 80, 10, "Pain, 0 to 10", (0, 5, 10))
        path, pen = "", "M"
        for row in self.rows:
            if row.pain is None:
                pen = "M" if row.is_silent else pen
                continue
            path += f"{pen}{self.x(row.day):.1f} {y(row.pain):.1f}"
            pen = "L"
        self.out.append(f'<path class="pain" d="{path or "M0 0"}"/>')
        self.out += [
            f'<circle class="pain-dot" cx="{self.x(row.day):.1f}" cy="{y(row.pain):.1f}" r="3.2"/>'
            for row in self.rows
            if row.pain is not None
        ]

    def pills(self) -> None:
        high = max(
            [6.0, *(value for row in self.rows for value in (row.pills, row.plan) if value is not None)]
        )
        high = 3 * -(-high // 3)
        y = self.panel(148, 104, high, "Pills in 24 hours, and the plan", (0, high / 3, 2 * high / 3, high))
        self.plan(y)
        for row in self.rows:
            if row.pills is not None:
                self.taken(row, row.pills, y)

    def plan(self, y: Callable[[float], float]) -> None:
        path = ""
        for row in self.rows:
            if row.plan is None:
                continue
            left, top = self.x(row.day) - self.cell / 2, y(row.plan)
            self.out.append(_rect("plan", left, top, self.cell + 0.3, y(0) - top))
            path += ("L" if path else "M") + f"{left:.1f} {top:.1f}H{left + self.cell:.1f}"
        if path:
            self.out.append(f'<path class="plan-top" d="{path}"/>')

    def taken(self, row: Day, pills: float, y: Callable[[float], float]) -> None:
        at_most = pills if row.plan is None else min(pills, row.plan)
        left, width = self.x(row.day) - self.cell * 0.28, self.cell * 0.56
        self.out.append(_rect("pill", left, y(at_most), width, y(0) - y(at_most)))
        if pills > at_most:
            height = max(0.0, y(at_most) - y(pills) - 1.5)
            beside = self.x(row.day) + self.cell * 0.5
            self.out.append(_rect("over", left, y(pills), width, height))
            self.out.append(f'<text class="halo" x="{beside:.1f}" y="{y(pills) + 9:.1f}">{pills:g}</text>')

    def withdrawal(self) -> None:
        y = self.panel(294, 50, 4, "Withdrawal, 0 to 4", (0, 2, 4))
        for row in self.rows:
            if row.withdrawal is not None:
                x, top = self.x(row.day), y(row.withdrawal)
                self.out.append(
                    f'<line class="wd-stem" x1="{x:.1f}" x2="{x:.1f}" y1="{y(0):.1f}" y2="{top:.1f}"/>'
                    f'<circle class="wd" cx="{x:.1f}" cy="{top:.1f}" r="3.6"/>'
                )

    def alerts(self) -> None:
        for row in self.rows:
            if row.has_alert:
                x = self.x(row.day)
                self.out.append(
                    f'<line class="evt" x1="{x:.1f}" x2="{x:.1f}" y1="20" y2="344"/>'
                    f'<path class="evt-dot" d="M{x - 6:.1f} 12h12l-6 9z"/>'
                )

    def days(self) -> None:
        self.out.append(f'<text x="{self.x(1):.1f}" y="362" text-anchor="middle">1</text>')
        for tick in range(7, self.last + 1, 7):
            anchor = "end" if tick == self.last else "middle"
            self.out.append(f'<text x="{self.x(tick):.1f}" y="362" text-anchor="{anchor}">day {tick}</text>')


def clinical(rows: Sequence[Day], last: int = 21) -> Markup:
    """Draw pain, pills against the plan, and withdrawal on one axis of days 1 to `last`."""
    chart = _Chart([row for row in rows if 1 <= row.day <= last], last)
    for draw in (chart.gaps, chart.pain, chart.pills, chart.withdrawal, chart.alerts, chart.days):
        draw()
    title = "Pain, pills against plan and withdrawal by day. The table below holds the same numbers."
    # Numbers and our own words; what came from outside is escaped.
    return Markup(  # noqa: S704  # nosec B704
        f'<svg class="chart" viewBox="0 0 {_Chart.WIDTH} 368" role="img" aria-labelledby="ct">'
        f'<title id="ct">{title}</title>'
        f"{''.join(chart.out)}</svg>"
    )
