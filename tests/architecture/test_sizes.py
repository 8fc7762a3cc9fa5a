"""Rooms stay small enough to see the whole of one."""

from statistics import median

from tests.support.tree import ROOT, functions, modules

LONGEST_MODULE = 350
MEDIAN_FUNCTION = 10


def test_no_module_is_longer_than_350_lines():
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in modules("followup", "web")
    }
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_MODULE} == {}


def test_the_median_function_is_shorter_than_ten_lines():
    lengths = [
        node.end_lineno - node.lineno + 1
        for path in modules("followup", "web")
        for node in functions(path)
        if node.end_lineno is not None
    ]
    assert median(lengths) < MEDIAN_FUNCTION
