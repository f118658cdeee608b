"""gunicorn for PremRunner: used by ``premrunner serve``, and by ``gunicorn -c deploy/gunicorn.conf.py wsgi:app``.

Imports nothing of Flask: the workers must load it after gevent has patched them.
"""

import gc
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress

import gevent
from gunicorn.glogging import Logger
from gunicorn.workers.ggevent import GeventWorker

from premrunner.config import load_settings
from premrunner.logs import FORMATTERS
from premrunner.storage.paths import DataPaths


class OwnLinesOnly(Logger):
    """Prepares no access lines, which take a tenth of a call's time; the log and the traces have what was called."""

    def access(self, *args, **kwargs):
        """Write none."""


class Idle(gevent.Timeout):
    """A wait for the next request of a connection, which can be ended early."""

    def __init__(self, worker):
        super().__init__(worker.cfg.keepalive, False)
        self.worker = worker

    def __enter__(self):
        self.worker.idle[self] = gevent.getcurrent()
        return super().__enter__()

    def __exit__(self, *error):
        del self.worker.idle[self]
        return super().__exit__(*error)


class Worker(GeventWorker):
    """At its end waits for answers, and not for browsers that keep a connection open and ask nothing."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.idle = {}

    def timeout_ctx(self):
        """Wait for a request, in gunicorn's loop over those of a connection."""
        return Idle(self)

    def close_idle(self):
        """Have the loop find that its time is up."""
        for wait in list(self.idle):
            gevent.get_hub().loop.run_callback(self._end, wait)

    def _end(self, wait):
        if wait in self.idle:
            self.idle[wait].throw(wait)


settings = load_settings()
paths = DataPaths(settings.data_path)
# Each web process counts in files of its own; other machines on this data folder are other targets for Prometheus.
# Its library reads the variable when it is first imported, so nothing above imports it.
own_environment = dict(os.environ)
metrics_folder = paths.metrics(f"{socket.gethostname()}-{settings.port}")
# The files of one web process as Prometheus's library names them. Of counters there is one a route and status.
metrics_bytes = {"counter": 256 * 1024, "gauge_livesum": 64 * 1024, "histogram": 64 * 1024}
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics_folder)

bind = f"[{settings.host}]:{settings.port}" if ":" in settings.host else f"{settings.host}:{settings.port}"
worker_class = Worker
workers = settings.web_workers
# Open streams, web sockets and idle keep-alive connections, all together; past it nobody is answered.
worker_connections = 2000
# Uploads pause between chunks; a client that reuses a connection closed meanwhile would meet an error.
keepalive = 75
# A gevent worker beats each second however long its streams are; only a blocked one misses it.
timeout = 30
# Streams get so long to end.
graceful_timeout = 5
# Those that do not are told, early enough to say it and to be recorded: at the end gunicorn kills without a word.
tell_streams_after = 3
look_every = 0.25
control_socket_disable = True
logger_class = OwnLinesOnly
loglevel = "warning"
logconfig_dict = {
    "formatters": {"generic": {"()": FORMATTERS[settings.log_format]}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "generic", "stream": "ext://sys.stderr"}},
    "root": {"level": "WARNING", "handlers": ["console"]},
    "loggers": {"gunicorn.error": {"level": "WARNING", "handlers": ["console"], "propagate": False}},
}

# `premrunner serve` names itself here; it has prepared the data folder and runs the engine.
supervisor = int(os.environ.get("PREMRUNNER_SUPERVISOR_PID", "0"))
premrunner = [sys.executable, "-m", "premrunner"]


def on_starting(server):
    """Bring the database up to date, once, before any worker starts; what the last ones counted is over."""
    shutil.rmtree(metrics_folder, ignore_errors=True)
    metrics_folder.mkdir(mode=0o700, parents=True)
    if not supervisor:
        subprocess.run([*premrunner, "database", "upgrade"], env=own_environment, check=True)


def when_ready(server):
    """Tie gunicorn's life to its supervisor's, or the engine's to gunicorn's."""
    if supervisor:
        signal.signal(signal.SIGALRM, end_with_supervisor)
        signal.setitimer(signal.ITIMER_REAL, 0.5, 0.5)
    else:
        server.engine_owner = subprocess.Popen([*premrunner, "engine", "run"], env=own_environment)


def end_with_supervisor(number, frame):
    """End when the supervisor was killed: nobody else would end us, and the port would stay taken."""
    if os.getppid() != supervisor:
        os.kill(os.getpid(), signal.SIGTERM)


def on_exit(server):
    """End the engine that we started; what was counted is over."""
    shutil.rmtree(metrics_folder, ignore_errors=True)
    owner = getattr(server, "engine_owner", None)
    if owner is not None:
        owner.terminate()
        owner.wait(15)


def post_fork(server, worker):
    """Give what is counted its space on the disk: a write to mapped memory that finds none would end the process."""
    for kind, size_bytes in metrics_bytes.items():
        with suppress(OSError), (metrics_folder / f"{kind}_{worker.pid}.db").open("xb") as file:
            file.write(bytes(size_bytes))


def post_worker_init(worker):
    """Have the streams told when this worker is asked to end, and no stream wait for a look at what is loaded."""
    gc.collect()  # With what is loaded a full collection takes a tenth of a second, and all streams wait for it.
    gc.freeze()
    threading.Thread(target=tell_streams_at_the_end, args=(worker,), daemon=True).start()


def tell_streams_at_the_end(worker):
    """Wait for the end; a greenlet, because gevent has patched the worker by now."""
    while worker.alive:
        time.sleep(look_every)
    worker.wsgi.extensions["premrunner"].feed.end()  # Pages that follow imports have nothing to finish.
    for _ in range(int(tell_streams_after / look_every)):
        worker.close_idle()  # Again and again: an answer that ends leaves its connection idle.
        time.sleep(look_every)
    worker.wsgi.extensions["premrunner"].chat.interrupt_all()


def worker_exit(server, worker):
    """End the answers that are being written, and write the last traces."""
    app = getattr(worker, "wsgi", None)
    if app is not None:
        app.extensions["premrunner"].answering.end()
        app.extensions["premrunner"].tracing.close()


def child_exit(server, worker):
    """Settle the calls that a worker had in hand when it died; at the end of all, the next start does it."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid, str(metrics_folder))
    if server.LISTENERS:
        subprocess.Popen([*premrunner, "database", "settle"], env=own_environment)  # The arbiter reaps it.
