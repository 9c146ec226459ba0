"""Runs the benchmarks, prints their table and writes it into results.json and README: `python -m bench --help`."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from bench.kit.databases import POSTGRESQL, SQLITE, Databases
from bench.documents import rewritten
from bench.rows import accept, choose, drain, idle, importing, latency, replicas, scale
from bench.table import Row, keep, kept, show

BENCHMARKS = {
    "accept": accept,
    "drain": drain,
    "latency": latency,
    "scale": scale,
    "replicas": replicas,
    "idle": idle,
    "choose": choose,
    "importing": importing,
}
RESULTS = Path(__file__).parent / "results.json"
README = Path(__file__).parent.parent / "README.md"


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
    """0 when every target holds that was measured, 1 otherwise."""
    about = "\n".join(str(module.__doc__).strip() + "\n" for module in BENCHMARKS.values())
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, epilog=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"of {', '.join(BENCHMARKS)}; none: all of them")
    parser.add_argument("--readme", action="store_true", help="measure nothing: write what is known into README")
    parser.add_argument("--on", choices=(SQLITE, POSTGRESQL), help="one of the databases; else both")
    asked = parser.parse_args()
    if asked.readme:
        _tell_readme()
        return 0
    names, kinds = asked.names or list(BENCHMARKS), {asked.on} if asked.on else {SQLITE, POSTGRESQL}
    if unknown := set(names) - BENCHMARKS.keys():
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="usergems-bench-") as folder:
        rows = asyncio.run(run(names, kinds, Databases(Path(folder))))
    show(rows)
    keep(rows, RESULTS, among_others=bool(asked.names or asked.on))
    _tell_readme()
    return 0 if all(row.holds for row in rows) else 1


def _tell_readme() -> None:
    README.write_text(rewritten(README.read_text(), kept(RESULTS)))


if __name__ == "__main__":
    sys.exit(main())
