"""`python -m benchmarks [name …]`: run all measurements, or those named."""

from __future__ import annotations

import sys
from importlib import import_module

from benchmarks.report import table

ALL = (
    "hello", "services", "startup", "reload", "ai", "kv", "d1", "r2", "durable", "queues", "streams", "application"
)  # fmt: skip
# Only where they are named.
LONG = ("idle",)


def main(names: list[str]) -> int:
    """Run and print; the exit status is 1 where an aim was missed."""
    unknown = [name for name in names if name not in ALL + LONG]
    if unknown:
        print(f"there is no benchmark {unknown[0]}; there are {', '.join(ALL + LONG)}", file=sys.stderr)
        return 2
    figures = []
    try:
        for name in names or ALL:
            print(f"measuring {name} ...", file=sys.stderr, flush=True)
            figures += import_module(f"benchmarks.{name}").measure()
    finally:
        print(table(figures), flush=True)  # what was measured, where one of them fails
    return 1 if any(figure.is_reached is False for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
