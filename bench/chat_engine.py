"""Tokens through PremRunner beside those that its built-in engine gives when it is asked directly."""

import http.client
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.report import Table, judged, ratios, spread
from bench.servers import TOKEN, free_port, running
from premrunner.engine.address import EngineAddress
from premrunner.engine.state import read_state

TOKENS = 200
# The two ways differ by less than two runs of one of them do.
REPEATS = 10
START_SECONDS = 180


def real_engine() -> Table:
    """Compare the two ways with the starter model, greedily, on the same prompt."""
    direct: list[float] = []
    through: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        data, port = Path(name) / "data", free_port()
        names = {"DATA_PATH": str(data), "PORT": str(port), "AUTH_TOKEN": TOKEN, "PREMRUNNER_ENGINE": "builtin"}
        with running("PremRunner", [sys.executable, "-m", "premrunner", "serve"], port, Path(name) / "serve", names):
            site = EngineAddress("127.0.0.1", port)
            model = wait_for_model(site)
            engine = read_state(data / "run").address
            if engine is None:
                raise RuntimeError("The engine does not run.")
            messages = [{"role": "user", "content": "Tell me a long story about a lighthouse."}]
            common = {"model": model, "messages": messages, "stream": True}
            options = {"temperature": 0, "num_predict": TOKENS}
            ways = (
                (direct, engine, "/api/chat", {**common, "options": options}),
                (through, site, "/v1/chat/completions", {**common, "temperature": 0, "max_tokens": TOKENS}),
            )
            for repeat in range(REPEATS + 1):
                for found, server, path, body in ways if repeat % 2 else ways[::-1]:  # Neither is always the first.
                    rate = tokens_a_second(server, path, body)
                    if repeat:  # The first loads the model.
                        found.append(rate)
    table = Table(f"{TOKENS} tokens of the starter model, {REPEATS} repeats", ("", "tokens/s", "x the engine's own"))
    table.add("the built-in engine, directly", spread(direct, 1), "1")
    table.add("PremRunner", spread(through, 1), judged(ratios(through, direct), least=0.98, digits=3))
    return table


def wait_for_model(site: EngineAddress) -> str:
    """Return the name of the first model, once it is there."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection(site.host, site.port)
        connection.request("GET", "/v1/models", headers={"Authorization": f"Bearer {TOKEN}"})
        answer = connection.getresponse()
        models = json.loads(answer.read()).get("data", []) if answer.status == http.client.OK else []
        connection.close()
        if models:
            return str(models[0]["id"])
        time.sleep(0.5)
    raise RuntimeError("The starter model did not come.")


def tokens_a_second(server: EngineAddress, path: str, body: dict[str, Any]) -> float:
    """Stream an answer and return its rate from the request to the last token."""
    connection = http.client.HTTPConnection(server.host, server.port)
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    begun, events = time.monotonic(), 0
    connection.request("POST", path, json.dumps(body), headers)
    answer = connection.getresponse()
    if answer.status != http.client.OK:
        raise RuntimeError(f"{path} answered {answer.status}: {answer.read()[:300]!r}")
    for line in answer:
        events += b'"content":"' in line.replace(b'": "', b'":"') and b'"content":""' not in line
    connection.close()
    return events / (time.monotonic() - begun)
