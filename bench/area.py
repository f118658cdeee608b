"""One area in a process of its own, ``python -m bench.area NAME [--full]``: each table is a line of JSON.

What an area prepares once and keeps (peers that are installed, a database that is filled) comes first and is no part of
the time that it may take.
"""

import json
import sys
from dataclasses import asdict
from importlib import import_module

PREPARED = "prepared"


def main() -> None:
    """Prepare and measure."""
    name, *words = sys.argv[1:]
    area = import_module(f"bench.{name}")
    if hasattr(area, "prepare"):
        area.prepare()
    print(PREPARED, flush=True)
    for table in area.tables("--full" not in words):
        print(json.dumps(asdict(table)), flush=True)


if __name__ == "__main__":
    main()
