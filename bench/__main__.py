"""Measure every area and write the report: ``python -m bench [--quick] [--only uploads,chat] [--report FILE]``."""

import argparse
from importlib import import_module
from pathlib import Path

from bench.report import Table, machine_facts, write

AREAS = ("uploads", "chat", "weights", "traces")


def main() -> None:
    """Run the areas that are asked for; tables are printed as they come."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repeats, smaller files")
    parser.add_argument("--only", default=",".join(AREAS), help=f"some of {', '.join(AREAS)}")
    parser.add_argument("--report", type=Path, help="write the tables to this file")
    wanted = parser.parse_args()
    areas: dict[str, list[Table]] = {}
    facts = machine_facts()
    print("\n".join(facts), flush=True)
    for name in wanted.only.split(","):
        areas[name] = []
        for table in import_module(f"bench.{name}").tables(wanted.quick):
            print(f"\n{table}", flush=True)
            areas[name].append(table)
    if wanted.report:
        write(wanted.report, areas, facts)


if __name__ == "__main__":
    main()
