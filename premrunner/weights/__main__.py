"""``python -m premrunner.weights FOLDER -o model.gguf``."""

import sys

from premrunner.weights.command_line import main

sys.exit(main())
