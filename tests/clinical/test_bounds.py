"""What a hold left over of a taper is judged by the taper it came from."""

from decimal import Decimal

import pytest

from followup.clinical.bounds import check_bounds
from followup.core.errors import TaperRefused


def check(levels: list[int], *, start: int, whole_start: int | None) -> None:
    check_bounds(
        [Decimal(level) for level in levels],
        start=Decimal(start),
        unit=Decimal(1),
        days_taken=14,
        rx_max=Decimal(8),
        whole_start=None if whole_start is None else Decimal(whole_start),
    )


def test_the_largest_drop_of_the_whole_taper_holds_for_what_is_left() -> None:
    check([2, 2, 1, 1, 0], start=4, whole_start=8)
    with pytest.raises(TaperRefused, match="drops by 2; the most is 1"):
        check([2, 2, 1, 1, 0], start=4, whole_start=None)


def test_a_drop_that_the_whole_taper_could_not_make_is_refused() -> None:
    with pytest.raises(TaperRefused, match="drops by 3; the most is 2"):
        check([1, 0], start=4, whole_start=8)


def test_the_day_of_zero_may_be_all_that_is_left_but_never_a_whole_taper() -> None:
    check([0], start=1, whole_start=8)
    for whole_start in (1, None):
        with pytest.raises(TaperRefused, match="at least one step"):
            check([0], start=1, whole_start=whole_start)


def test_what_is_left_never_goes_up() -> None:
    with pytest.raises(TaperRefused, match="never goes up"):
        check([5, 4, 3, 2, 1, 0], start=4, whole_start=8)
