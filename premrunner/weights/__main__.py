"""``python -m premrunner.weights FOLDER -o model.gguf``."""

import os
import sys


def _main() -> int:
    # Several pieces are merged at once already; BLAS threads on top of that would only wait for each other. It reads
    # this when numpy is imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from premrunner.weights.command_line import main

    return main()


sys.exit(_main())
