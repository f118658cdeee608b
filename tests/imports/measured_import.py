"""One import in a process of its own, whose memory is measured: ``python -m imports.measured_import FILE PORT DATA``.

Prints what its memory grew by at the most, in bytes, and how the import ended.
"""

import json
import sys
from pathlib import Path

from premrunner.app import create_app, prepare_database
from premrunner.config import load_settings
from tests.engine_of_tests import found_running

from .recorded_ollama import RecordedOllama
from .workshop import Workshop


def memory_bytes(name: str) -> int:
    """Return a figure of this process's memory, as the kernel calls it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(name)


def main(file: Path, port: int, data_path: Path) -> None:
    app = create_app(load_settings({"DATA_PATH": str(data_path), "PREMRUNNER_STARTER": "none"}, dotenv=None))
    prepare_database(app)
    with found_running(app, port):
        workshop = Workshop(app, RecordedOllama(port=port))
        import_id = workshop.bring({file.name: file}, "Measured")
        Path("/proc/self/clear_refs").write_text("5")  # The peak begins anew.
        before = memory_bytes("VmRSS")
        record = workshop.work(import_id).record
        grown = memory_bytes("VmHWM") - before
    app.extensions["premrunner"].tracing.close()
    sys.stdout.write(json.dumps({"grown": grown, "status": record.status, "error": record.error}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
