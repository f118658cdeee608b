"""Measure every area and write the report: ``python -m bench [--full] [--only uploads,chat] [--report FILE]``.

Each area runs in a process of its own; one that fails or takes too long is reported with what it measured until then.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from bench.area import PREPARED
from bench.report import AREAS, Section, Table, machine_facts, write

# An area that takes longer is ended; on two idle cores all of them together take 25 minutes.
AREA_SECONDS = 900
FULL_AREA_SECONDS = 3600


def main() -> int:
    """Run the areas that are asked for; tables are printed as they come."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="more repeats, larger files, every format; takes hours")
    parser.add_argument("--only", default=",".join(AREAS), help=f"some of {', '.join(AREAS)}")
    parser.add_argument("--report", type=Path, help="write the tables to this file; areas that do not run stay")
    wanted = parser.parse_args()
    sections = []
    for name in wanted.only.split(","):
        section = Section(name, machine_facts())
        print(f"\n## {name}\n\n{section.facts}", flush=True)
        measure(section, is_full=wanted.full)
        sections.append(section)
        if wanted.report:  # After each area, so that a run that is broken off leaves what it has.
            write(wanted.report, sections)
    return 1 if any(section.failure for section in sections) else 0


def measure(section: Section, *, is_full: bool) -> None:
    """Fill a section with the tables of its area, and with why it did not come to its end."""
    seconds = FULL_AREA_SECONDS if is_full else AREA_SECONDS
    command = [sys.executable, "-m", "bench.area", section.name, *(["--full"] if is_full else [])]
    with tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
        ) as process:
            watch = threading.Timer(seconds, os.killpg, (process.pid, signal.SIGTERM))
            try:
                for line in process.stdout or ():
                    if line.strip() == PREPARED:
                        watch.start()
                    elif line.startswith("{"):
                        section.tables.append(Table(**json.loads(line)))
                        print(f"\n{section.tables[-1]}", flush=True)
                code = process.wait()
            finally:
                watch.cancel()
                if process.poll() is None:  # We are interrupted ourselves.
                    os.killpg(process.pid, signal.SIGTERM)
        errors.seek(0)
        said = errors.read().strip().splitlines()
    if code == -signal.SIGTERM:
        section.failure = f"it was ended after {seconds // 60} minutes"
    elif code:
        section.failure = said[-1] if said else f"it ended with {code}"
    if section.failure:
        print("\n".join(said[-30:]), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
