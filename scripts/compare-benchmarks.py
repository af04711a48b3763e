#!/usr/bin/env python3
"""Compare benchmarks that were saved by scripts/bench.sh, as a table in Markdown.

    scripts/compare-benchmarks.py FILE [FILE...]

Each FILE is a column. Rows are Criterion's medians, then the lines of platform_comparison.
Without files: those in docs/benchmarks/results.
"""

import pathlib
import re
import sys

CRITERION = re.compile(r"^(?P<name>\S.*?)??\s+time:\s+\[\S+ \S+ (?P<median>\S+ \S+) \S+ \S+\]$")
WORKLOAD = re.compile(r"^(?P<name>\S[^|]*?)\s+\|(?P<cells>.*\(\d+\.\d+\).*)$")


def read(path):
    """The rows of a file: what was measured, and the result."""
    rows, previous = {}, ""
    for line in path.read_text().splitlines():
        if found := CRITERION.match(line):
            # A long name is on a line of its own.
            rows[found["name"] or previous] = found["median"].replace("µs", "us")
        elif found := WORKLOAD.match(line):
            for cell in found["cells"].split("|"):
                contestant, value, unit, _ = cell.strip().rsplit(" ", 3)
                rows[f"{found['name']}: {contestant}"] = f"{value} {unit}"
        previous = line.strip()
    return rows


def main():
    results = pathlib.Path(__file__).parent.parent / "docs/benchmarks/results"
    paths = [pathlib.Path(arg) for arg in sys.argv[1:]] or sorted(results.glob("*.txt"))
    if not paths:
        sys.exit(f"nothing is saved in {results}: see scripts/bench.sh")
    columns = [read(path) for path in paths]
    print("| |", " | ".join(path.stem for path in paths), "|")
    print("| --- |", " | ".join("---:" for _ in paths), "|")
    for name in dict.fromkeys(name for column in columns for name in column):
        print("|", name, "|", " | ".join(column.get(name, "") for column in columns), "|")


main()
