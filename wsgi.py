"""gunicorn's entry: ``gunicorn -c deploy/gunicorn.conf.py wsgi:app``."""

from premrunner.app import create_app

app = create_app()
