"""The site with two seconds' patience for clients that stop sending, so that a test need not wait for thirty.

With ``WITHOUT_SPLICE`` it believes to run on a system that has none.
"""

import os

from flask import Flask

from premrunner.app import create_app


def create() -> Flask:
    if os.environ.get("WITHOUT_SPLICE"):
        del os.splice
    app = create_app()
    app.config["UPLOAD_STALL_SECONDS"] = 2.0
    return app
