"""One area in a process of its own, ``python -m bench.area NAME [--full]``: each table is a line of JSON."""

import json
import sys
from dataclasses import asdict
from importlib import import_module


def main() -> None:
    """Measure."""
    name, *words = sys.argv[1:]
    for table in import_module(f"bench.{name}").tables("--full" not in words):
        print(json.dumps(asdict(table)), flush=True)


if __name__ == "__main__":
    main()
