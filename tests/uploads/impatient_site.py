"""The site with two seconds' patience for clients that stop sending, so that a test need not wait for thirty."""

from flask import Flask

from premrunner.app import create_app


def create() -> Flask:
    app = create_app()
    app.config["UPLOAD_STALL_SECONDS"] = 2.0
    return app
