"""The engine's client against answers that a real Ollama gave, and against engines that fail."""

import io
import json
import socket
import threading
import time
from contextlib import closing, contextmanager

import pytest
from conftest import BUSY_SECONDS
from replay import replay

from premrunner.engine.client import EngineClient
from premrunner.errors import (
    Cancelled,
    ContextLengthExceeded,
    EngineBroken,
    EngineLost,
    EngineNotReady,
    EngineRefused,
    InvalidRequest,
    ModelNotFound,
)
from premrunner.net.http import Cancellation, HttpPool
from premrunner.records import ChatRequest

QUESTION = ChatRequest("smollm2:135m", [{"role": "user", "content": "What is the capital of France?"}])
SHA = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def chat(recording: str, request: ChatRequest = QUESTION):
    """Return the chunks of a recorded chat and the body that was sent for it."""
    with replay(recording) as (pool, seen):
        chunks = list(EngineClient(lambda: pool).chat(request))
        return chunks, json.loads(seen[0][2])


def test_a_chat_ends_with_its_reason_and_the_engines_own_counts():
    chunks, _ = chat("chat streamed")
    assert "".join(chunk.content for chunk in chunks) == "The capital of France is Paris."
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["stop"]
    usage = chunks[-1].usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (16, 8, 24)
    assert usage.tokens_per_second > 1


def test_only_what_was_asked_for_is_sent():
    request = ChatRequest("m", [{"role": "user", "content": "x"}], options={"seed": 1}, think=False, keep_alive=0)
    _, body = chat("chat streamed", request)
    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "x"}],
        "stream": True,
        "options": {"seed": 1},
        "think": False,
        "keep_alive": 0,
    }


def test_an_answer_cut_by_its_length_says_so():
    assert chat("chat length")[0][-1].finish_reason == "length"


def test_log_probabilities_come_with_their_tokens():
    first = chat("chat logprobs")[0][0]
    assert first.logprobs[0]["token"] == "The"
    assert len(first.logprobs[0]["top_logprobs"]) == 2


def test_letters_of_every_script_survive():
    chunks, _ = chat("chat unicode streamed")
    assert not any("\ufffd" in chunk.content for chunk in chunks[:-1])


@pytest.mark.parametrize(
    ("recording", "error", "text"),
    [
        ("chat unknown model", ModelNotFound, "smollm2:135m"),
        ("chat past the context", ContextLengthExceeded, "longer than the model can read"),
        ("chat bad option type", InvalidRequest, "temperature"),
        ("chat tools unsupported", InvalidRequest, "cannot call tools"),
        ("chat image on text model", InvalidRequest, "cannot read images"),
        ("chat think unsupported", EngineRefused, "does not support thinking"),
    ],
)
def test_a_refusal_becomes_the_error_that_it_means(recording, error, text):
    with pytest.raises(error, match=text):
        chat(recording)


def test_a_failed_creation_is_a_failure_although_its_status_is_200():
    with replay("create garbage gguf") as (pool, _), pytest.raises(EngineRefused, match="string length"):
        EngineClient(lambda: pool).create("x", files={"a.gguf": f"sha256:{SHA}"})


def test_a_creation_tells_its_steps():
    steps = []
    with replay("create gguf, streamed") as (pool, seen):
        EngineClient(lambda: pool).create("x", files={"a.gguf": f"sha256:{SHA}"}, progress=steps.append)
    assert [step["status"] for step in steps][-1] == "success"
    assert json.loads(seen[0][2]) == {"model": "x", "files": {"a.gguf": f"sha256:{SHA}"}, "stream": True}


def test_an_offline_pull_says_why():
    with replay("pull offline") as (pool, _), pytest.raises(EngineRefused, match="no such host"):
        list(EngineClient(lambda: pool).pull("gemma3:270m"))


def test_blobs_are_asked_for_before_they_are_sent():
    with replay("blob missing", "blob push", "blob present") as (pool, seen):
        client = EngineClient(lambda: pool)
        assert not client.has_blob("0" * 64)
        client.push_blob(SHA, io.BytesIO(b"GGUF"), 4)
        assert client.has_blob(SHA)
    assert seen[1] == ("POST", f"/api/blobs/sha256:{SHA}", b"GGUF")


def test_a_wrong_digest_is_refused():
    with replay("blob digest mismatch") as (pool, _), pytest.raises(EngineRefused, match="digest mismatch"):
        EngineClient(lambda: pool).push_blob("0" * 64, io.BytesIO(b"x"), 1)


def test_lists_give_names_sizes_and_what_is_loaded():
    with replay("version", "tags", "ps loaded") as (pool, _):
        client = EngineClient(lambda: pool)
        assert client.version() == "0.0.0"
        model = next(model for model in client.models() if model.name == "smollm2:135m")
        assert (model.size_bytes, model.details["quantization_level"]) == (98362745, "Q4_1")
        assert client.loaded()[0].context_length == 4096


def test_a_model_is_unloaded_before_it_is_deleted():
    with replay("unload", "delete") as (pool, seen):
        EngineClient(lambda: pool).delete("buccaneer")
    assert [path for _, path, _ in seen] == ["/api/generate", "/api/delete"]


def test_a_deleted_model_is_missing():
    with replay("delete unknown") as (pool, _), pytest.raises(ModelNotFound):
        EngineClient(lambda: pool).unload("buccaneer")


def test_nobody_at_the_address_means_not_ready(free_port):
    client = EngineClient(lambda: HttpPool("127.0.0.1", free_port))
    with pytest.raises(EngineNotReady):
        client.version()


@contextmanager
def engine_that(answer):
    """Serve one connection with a function of its socket; yields a client."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with closing(connection):
                while not (request := connection.recv(65536, socket.MSG_PEEK)).endswith(b"true}"):
                    assert request
                connection.recv(65536)
                answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        with closing(HttpPool("127.0.0.1", listener.getsockname()[1])) as pool:
            yield EngineClient(lambda: pool)
        thread.join(5)
        assert not thread.is_alive()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
LINE = b'{"message":{"role":"assistant","content":"Hi"},"done":false}\n'
CHUNK = b"%x\r\n%s\r\n" % (len(LINE), LINE)


def test_an_engine_that_dies_in_the_middle_is_lost():
    with engine_that(lambda connection: connection.sendall(HEAD + CHUNK)) as client:
        chunks = client.chat(QUESTION)
        assert next(chunks).content == "Hi"
        with pytest.raises(EngineLost, match="in the middle"):
            next(chunks)


def test_an_engine_that_hangs_up_before_answering_is_lost():
    with engine_that(lambda connection: None) as client, pytest.raises(EngineLost, match="before it answered"):
        next(client.chat(QUESTION))


def test_an_answer_without_its_last_line_is_not_whole():
    with (
        engine_that(lambda connection: connection.sendall(HEAD + CHUNK + b"0\r\n\r\n")) as client,
        pytest.raises(EngineBroken, match="before it had finished"),
    ):
        list(client.chat(QUESTION))


@pytest.mark.parametrize("sent", [b"", HEAD + CHUNK], ids=["before the headers", "in the middle"])
def test_a_silent_engine_is_cut_at_once(sent):
    gone = []

    def answer(connection: socket.socket) -> None:
        connection.sendall(sent)
        connection.settimeout(5)
        gone.append(connection.recv(1) == b"")

    with engine_that(answer) as client:
        cancellation = Cancellation()
        threading.Timer(0.1, cancellation.cancel).start()
        begun = time.monotonic()
        with pytest.raises(Cancelled):
            list(client.chat(QUESTION, cancellation))
        assert time.monotonic() - begun < 1 + BUSY_SECONDS
    assert gone == [True]


def test_a_chat_cancelled_before_it_begins_never_begins():
    cancellation = Cancellation()
    cancellation.cancel()
    with replay("chat streamed") as (pool, seen), pytest.raises(Cancelled):
        list(EngineClient(lambda: pool).chat(QUESTION, cancellation))
    assert not seen


def test_connections_are_used_again():
    with replay("chat streamed", "chat streamed", "version") as (pool, _):
        client = EngineClient(lambda: pool)
        list(client.chat(QUESTION))
        first = pool._idle[0]
        list(client.chat(QUESTION))
        client.version()
        assert list(pool._idle) == [first]
