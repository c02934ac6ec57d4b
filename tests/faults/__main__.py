"""`make faults`: every fault against real servers, as a table. `python -m tests.faults [--short] [NAME ...]`."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.faults import clients as clients
from tests.faults import hostile as hostile
from tests.faults import memory as memory
from tests.faults import overload as overload
from tests.faults import servers as servers
from tests.faults import store as store
from tests.faults.rows import ORDER, Row, Trial, in_order


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(ORDER))
    parser.add_argument("--short", action="store_true", help="the forms of make test")
    options = parser.parse_args()
    print(f"{'fault':<10} {'':<6} {'bar':<36} {'measured':<76} seconds")
    failed = False
    for name, run in in_order():
        if options.names and name not in options.names:
            continue
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="gazecrop-fault-") as folder:
            try:
                row = run(Trial(Path(folder), options.short))
                verdict = "ok" if row.ok else "FAIL"
            except pytest.skip.Exception as reason:
                row, verdict = Row(name, "", str(reason), True), "-"
            except Exception as error:
                row, verdict = (
                    Row(name, "", " ".join(f"{type(error).__name__}: {error}".split())[:300], False),
                    "FAIL",
                )
        failed = failed or not row.ok
        seconds = time.monotonic() - began
        print(f"{row.name:<10} {verdict:<6} {row.bar:<36} {row.measured:<76} {seconds:.0f}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
