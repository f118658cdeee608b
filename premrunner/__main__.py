"""``python -m premrunner`` is the ``premrunner`` command."""

from premrunner.cli import main

main()
