"""Run the benchmarks, print their results, and write them to results.json, docs/performance.md and README.md."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

from bench.documents import write_documents
from bench.kit.databases import POSTGRESQL, SQLITE, Databases
from bench.rows import accept, choose, drain, growth, home, idle, importing, latency, replicas, scale, senders
from bench.table import Row, load, show, store

BENCHMARKS = {
    "accept": accept,
    "drain": drain,
    "latency": latency,
    "scale": scale,
    "replicas": replicas,
    "idle": idle,
    "choose": choose,
    "senders": senders,
    "home": home,
    "import": importing,
    "growth": growth,
}
SLOW = {"growth"}
"""Benchmarks that take minutes, and run only when they are named."""

RESULTS = Path(__file__).parent / "results.json"


async def run(names: list[str], kinds: set[str], databases: Databases) -> list[Row]:
    rows = []
    for name in names:
        for kind in sorted(kinds.intersection(BENCHMARKS[name].DATABASES), reverse=True):
            began = time.monotonic()
            print(f"{name} on {kind} …", end=" ", file=sys.stderr, flush=True)
            rows += await BENCHMARKS[name].measure(databases, kind)
            print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    return rows


def main() -> int:
    """The exit status: 0 when every measured target is met, 1 otherwise."""
    about = "\n".join(str(module.__doc__).strip() + "\n" for module in BENCHMARKS.values())
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, epilog=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help=f"any of {', '.join(BENCHMARKS)} (default: all but the last)"
    )
    parser.add_argument("--docs", action="store_true", help="only write the stored results into the documents")
    parser.add_argument("--on", choices=(SQLITE, POSTGRESQL), help="only this database (default: both)")
    arguments = parser.parse_args()
    if arguments.docs:
        write_documents(load(RESULTS))
        return 0
    if unknown := set(arguments.names) - BENCHMARKS.keys():
        parser.error(f"unknown benchmark: {', '.join(sorted(unknown))}")
    names = arguments.names or [name for name in BENCHMARKS if name not in SLOW]
    kinds = {arguments.on} if arguments.on else {SQLITE, POSTGRESQL}
    with tempfile.TemporaryDirectory(prefix="usergems-bench-") as folder:
        rows = asyncio.run(run(names, kinds, Databases(Path(folder))))
    show(rows)
    store(rows, RESULTS, ran=set(product(names, kinds)), order=list(BENCHMARKS))
    write_documents(load(RESULTS))
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
