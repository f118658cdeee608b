"""``python -m bench.soak --minutes 30``: break everything, and say what did not hold."""

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from premrunner.storage.starter_package import MEMBER, fetch_gguf

from .faults import Faults
from .ledger import Ledger
from .load import Load
from .network import StallingProxy
from .site import Clock, Site, SmallDisk
from .verdict import Growth, judge, judge_end

CACHE = Path(__file__).parent.parent.parent / ".cache" / "starter"
SAMPLE_SECONDS = 2.0


def main() -> int:
    parser = argparse.ArgumentParser(description="Everything at once, while things break.")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="Of the faults and the load.")
    given = parser.parse_args()
    random.seed(given.seed)
    gguf = CACHE / Path(MEMBER).name
    gguf = gguf if gguf.exists() else fetch_gguf(CACHE)
    folder = Path(tempfile.mkdtemp(prefix="premrunner-soak-"))
    disk = SmallDisk(folder / "disk")
    try:
        ledger = soak(folder, disk, gguf, given.minutes * 60)
    finally:
        disk.unmount()
        shutil.rmtree(disk.folder, ignore_errors=True)  # The server's log stays.
    tell(ledger, folder, given.seed)
    return 1 if ledger.findings else 0


def soak(folder: Path, disk: SmallDisk, gguf: Path, seconds: float) -> Ledger:
    clock = Clock(folder)
    site = Site(disk.folder / "data", clock, folder / "server.log")
    ledger, growth = Ledger(), Growth(site)
    try:
        site.wait_until_it_answers()
        proxy = StallingProxy(site.port)
        load = Load(f"http://127.0.0.1:{proxy.port}", ledger, gguf, folder)
        faults = Faults(site, disk, clock, proxy, ledger)
        load.start()
        faults.start()
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and site.process.poll() is None:
            growth.sample()
            time.sleep(SAMPLE_SECONDS)
        faults.end()
        load.end()
        proxy.end()
        if site.process.poll() is None:
            judge(site, ledger, growth)
            judge_end(site, ledger)
        else:
            ledger.find(f"the server ended by itself with {site.process.returncode}")
    finally:
        if site.process.poll() is None:
            site.process.kill()
    return ledger


def tell(ledger: Ledger, folder: Path, seed: int) -> None:
    """Print what was done, what broke, what could not be broken here, which errors users saw, and what did not hold."""
    print(f"Seed {seed}; the server's log is {folder}/server.log\n")
    for title, lines in (
        ("Done", [f"{count:6d}  {what}" for what, count in sorted(ledger.done.items())]),
        ("Broken", [f"{moment:7.1f} s  {name}" for moment, name in ledger.faults]),
        ("Left out", ledger.left_out or ["Nothing."]),
        ("Errors that users saw", [f"{count:6d}  {what}" for what, count in ledger.errors.most_common()]),
        ("Findings", ledger.findings or ["None."]),
    ):
        print(f"{title}\n", *(f"  {line}" for line in lines), "", sep="\n")


if __name__ == "__main__":
    sys.exit(main())
