"""What breaks: processes, the disk, the clock, the network; one thing after the other, at random."""

import random
import threading
import time

from .ledger import MOVE, Ledger
from .network import StallingProxy
from .site import WEB, Clock, Site, SmallDisk

# Between two faults everything has the time to heal and to work for a while.
PAUSE_SECONDS = (6.0, 14.0)
JUMPS_SECONDS = (-7200, -30, 45, 90_000)


class Faults:
    """Breaks things until it is stopped.

    Args:
        site: Whose processes.
        disk: Which is filled.
        clock: Which jumps.
        proxy: Which stalls.
        ledger: Where each fault is noted.
    """

    def __init__(self, site: Site, disk: SmallDisk, clock: Clock, proxy: StallingProxy, ledger: Ledger) -> None:
        self._site, self._disk, self._clock, self._proxy, self._ledger = site, disk, clock, proxy, ledger
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        parts = (WEB, "premrunner worker", "premrunner.builtin --", "model_process")
        self._kinds = {f"kill {part}": lambda part=part: site.kill(part) for part in parts}
        self._kinds["kill all"] = lambda: site.kill(*parts)
        self._kinds["stall"] = self._stall
        if disk.is_mounted:
            self._kinds["fill the disk"] = self._fill
        else:
            ledger.left_out.append("Filling the disk: nobody but root may mount a small one.")
        if clock.is_movable:
            self._kinds[MOVE] = lambda: clock.jump(random.choice(JUMPS_SECONDS))
        else:
            ledger.left_out.append("Moving the clock: no C compiler is installed.")

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ending.set()
        self._thread.join(60)

    def _run(self) -> None:
        kinds: list[str] = []
        while not self._ending.wait(random.uniform(*PAUSE_SECONDS)):
            kinds = kinds or random.sample(list(self._kinds), len(self._kinds))  # Each as often as any other.
            name = kinds.pop()
            with self._ledger.fault(name):
                self._kinds[name]()

    def _stall(self) -> None:
        self._proxy.stall()
        time.sleep(random.uniform(1, 6))
        self._proxy.flow()

    def _fill(self) -> None:
        try:
            self._disk.fill()
            time.sleep(random.uniform(2, 5))
        finally:
            self._disk.free()
