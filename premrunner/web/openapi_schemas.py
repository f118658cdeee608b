"""What the API answers, as JSON schemas: the shapes that the ``*_reply`` modules make."""

from collections.abc import Mapping
from typing import Any

from premrunner.events import STAGES

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
BOOLEAN: Schema = {"type": "boolean"}
ANYTHING: Schema = {}


def _object(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}


def _array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def reference(name: str) -> Schema:
    """Return a reference to one of the schemas below."""
    return {"$ref": f"#/components/schemas/{name}"}


USAGE = _object({"prompt_tokens": INTEGER, "completion_tokens": INTEGER, "total_tokens": INTEGER})
TOOL_CALL = _object(
    {"id": STRING, "type": {"const": "function"}, "function": _object({"name": STRING, "arguments": STRING})},
    {"index": INTEGER},
)
SAID = {"content": _or_null(STRING), "reasoning_content": STRING, "tool_calls": _or_null(_array(TOOL_CALL))}
LOGPROBS = _or_null({"type": "object"})
FINISH_REASON = _or_null({"enum": ["stop", "length", "tool_calls"]})
# Requests with `project_id` are answered with what Prem's old clients need besides.
LEGACY = {"provider_name": STRING, "provider_id": STRING, "trace_id": STRING, "document_chunks": _array(ANYTHING)}

MODEL = _object(
    {"id": STRING, "object": {"const": "model"}, "created": INTEGER, "owned_by": STRING},
    {"permission": _array(ANYTHING), "root": STRING, "parent": _or_null(STRING)},
)
LEGACY_MODEL = _object({"id": STRING, "name": STRING, "model_type": STRING, "model_provider": STRING})
LEGACY_TRACE = _object({"trace_id": STRING, "project_id": INTEGER, "model_id": STRING, "feedback": {"type": "null"}})
TRACE = _object(
    {
        "id": STRING,
        "model": STRING,
        "promptTokens": INTEGER,
        "completionTokens": INTEGER,
        "totalTokens": INTEGER,
        "duration": INTEGER,
        "createdAt": STRING,
        "status": {"enum": ["running", "ok", "error", "cancelled", "interrupted"]},
        "error": _or_null(STRING),
    },
    {"preview": STRING, "replayOf": _or_null(STRING), "keyName": STRING, "endpoint": STRING, "stream": BOOLEAN},
)
TRACE_FEEDBACK = _object({"rating": {"enum": [-1, 0, 1]}, "note": STRING, "correction": STRING})
TRACE_FIGURES = {
    **dict.fromkeys(("calls", "failed", "promptTokens", "completionTokens"), INTEGER),
    **{name: _or_null(NUMBER) for name in ("p50Ms", "p95Ms")},
}
ACCESS_KEY = _object(
    {
        "id": STRING,
        "name": STRING,
        "hint": STRING,
        "models": _array(STRING),
        "requestsPerMinute": _or_null(INTEGER),
        "tokensPerDay": _or_null(INTEGER),
        "createdAt": STRING,
        "lastUsedAt": _or_null(STRING),
    },
    {"key": STRING},
)
IMPORT_STATUS = {"enum": ["queued", "importing", "ready", "failed", "cancelled"]}
IMPORT_FAILURE = _or_null(_object({"message": STRING, "hint": STRING}))
IMPORT = _object(
    {
        "id": STRING,
        "name": STRING,
        "status": IMPORT_STATUS,
        "stage": {"enum": ["", *STAGES]},
        "error": IMPORT_FAILURE,
        "canRetry": BOOLEAN,
        "createdAt": STRING,
        "finishedAt": _or_null(STRING),
    }
)
IMPORT_EVENT = _object(
    {
        "number": INTEGER,
        "modelId": STRING,
        "status": IMPORT_STATUS,
        "stage": {"enum": ["", *STAGES]},
        "percent": INTEGER,
        "message": STRING,
        "doneBytes": INTEGER,
        "totalBytes": INTEGER,
        "bytesPerSecond": _or_null(NUMBER),
        "secondsLeft": _or_null(NUMBER),
        "createdAt": STRING,
    }
)
FACTS = {"options": {"type": "object"}, "found": {"type": "object"}, "proof": {"type": "object"}}
BASE = _object(
    {
        **{"id": STRING, "name": STRING, "names": _array(STRING), "origin": {"enum": ["upload", "download", "folder"]}},
        **{"sizeBytes": INTEGER, "createdAt": STRING, "files": _array(_object({"name": STRING, "sha256": STRING}))},
    }
)
OWN_MODEL = _object(
    {"id": STRING, "name": STRING, "alias": STRING, "size": INTEGER, "uploadedAt": STRING, **FACTS},
)
SIMPLE_MESSAGE = _object({"id": STRING, "content": STRING, "role": STRING, "model": STRING}, {"createdAt": STRING})
CHAT_FRAME = {"id": STRING, "created": INTEGER, "model": STRING}
COMPLETION_CHOICE = _object({"index": INTEGER, "text": STRING, "logprobs": LOGPROBS, "finish_reason": FINISH_REASON})
TEXT_COMPLETION = {"object": {"const": "text_completion"}, "choices": _array(COMPLETION_CHOICE)}
ANTHROPIC_USAGE = _object({"input_tokens": INTEGER, "output_tokens": INTEGER})

SCHEMAS: Mapping[str, Schema] = {
    "Error": _object(
        {
            "error": _object(
                {"message": STRING, "type": STRING, "param": _or_null(STRING), "code": _or_null(STRING)},
            )
        },
        {"type": {"const": "error"}, "request_id": STRING},
    ),
    "ChatCompletion": _object(
        {
            **CHAT_FRAME,
            "object": {"const": "chat.completion"},
            "choices": _array(
                _object(
                    {
                        "index": INTEGER,
                        "message": _object({"role": {"const": "assistant"}, "content": _or_null(STRING)}, SAID),
                        "finish_reason": FINISH_REASON,
                        "logprobs": LOGPROBS,
                    }
                )
            ),
            "usage": USAGE,
        },
        LEGACY,
    ),
    "ChatCompletionChunk": _object(
        {
            **CHAT_FRAME,
            "object": {"const": "chat.completion.chunk"},
            "choices": _array(
                _object(
                    {
                        "index": INTEGER,
                        "delta": _object({}, {"role": {"const": "assistant"}, **SAID}),
                        "finish_reason": FINISH_REASON,
                        "logprobs": LOGPROBS,
                    }
                )
            ),
        },
        {"usage": USAGE, **LEGACY},
    ),
    "Completion": _object({**CHAT_FRAME, **TEXT_COMPLETION, "usage": USAGE}),
    "CompletionChunk": _object({**CHAT_FRAME, **TEXT_COMPLETION}, {"usage": USAGE}),
    "EmbeddingList": _object(
        {
            "object": {"const": "list"},
            "data": _array(
                _object(
                    {
                        "object": {"const": "embedding"},
                        "index": INTEGER,
                        "embedding": {"anyOf": [STRING, _array(NUMBER)]},
                    }
                )
            ),
            "model": STRING,
            "usage": _object({"prompt_tokens": INTEGER, "total_tokens": INTEGER}),
        },
        LEGACY,
    ),
    "Response": _object(
        {
            "id": STRING,
            "object": {"const": "response"},
            "created_at": INTEGER,
            "status": {"enum": ["in_progress", "completed", "incomplete"]},
            "model": STRING,
            "output": _array(
                _object({"id": STRING, "type": {"enum": ["message", "reasoning", "function_call"]}, "status": STRING})
            ),
            "error": {"type": "null"},
            "incomplete_details": _or_null(_object({"reason": STRING})),
            "usage": _or_null(_object({"input_tokens": INTEGER, "output_tokens": INTEGER, "total_tokens": INTEGER})),
        }
    ),
    "ResponseEvent": _object({"type": STRING}, {"sequence_number": INTEGER}),
    "Message": _object(
        {
            "id": STRING,
            "type": {"const": "message"},
            "role": {"const": "assistant"},
            "model": STRING,
            "content": _array(_object({"type": {"enum": ["text", "thinking", "tool_use"]}})),
            "stop_reason": _or_null({"enum": ["end_turn", "max_tokens", "tool_use"]}),
            "stop_sequence": {"type": "null"},
            "usage": ANTHROPIC_USAGE,
        }
    ),
    "MessageEvent": _object({"type": STRING}),
    "Model": MODEL,
    "Models": _object({"object": {"const": "list"}, "data": _array(MODEL), "models": _array({"type": "object"})}),
    "ModelDeleted": _object(
        {"id": STRING, "object": {"const": "model"}, "deleted": {"const": True}, "message": STRING},
        {"freedBytes": INTEGER},
    ),
    "ModelStatus": _object(
        {"id": STRING, "name": STRING, "alias": _or_null(STRING), "imported": BOOLEAN, "status": STRING},
        {
            **{name: IMPORT["properties"][name] for name in ("stage", "error", "canRetry", "createdAt", "finishedAt")},
            **{"percent": INTEGER, "message": STRING, "place": INTEGER, "events": _array(IMPORT_EVENT)},
            **FACTS,
        },
    ),
    "Imports": _object({"imports": _array(IMPORT)}),
    "ImportNews": _object({"id": STRING, "message": STRING}),
    "Bases": _object({"bases": _array(BASE), "sizeBytes": INTEGER}),
    "BaseDeleted": _object({"id": STRING, "freedBytes": INTEGER}),
    "OwnModel": OWN_MODEL,
    "ModelRunning": _object({"status": BOOLEAN}),
    "Done": _object({"message": STRING}),
    "LegacyModel": LEGACY_MODEL,
    "LegacyModels": _array(LEGACY_MODEL),
    "LegacyTrace": LEGACY_TRACE,
    "LegacyTraces": _array(LEGACY_TRACE),
    "Traces": _object(
        {"traces": _array(TRACE), "total": INTEGER, "page": INTEGER, "limit": INTEGER, "pages": INTEGER},
        {"next": _or_null(STRING), "previous": _or_null(STRING)},
    ),
    "Trace": {
        **TRACE,
        "properties": {**TRACE["properties"], "input": STRING, "output": STRING, "feedback": TRACE_FEEDBACK},
        "required": [*TRACE["required"], "input", "output", "feedback"],
    },
    "TracesDeleted": _object({"deleted": INTEGER}),
    "TraceStats": _object(
        {
            "columnSeconds": INTEGER,
            "columns": _array(_object({"start": STRING, **TRACE_FIGURES})),
            "total": _object(TRACE_FIGURES),
        }
    ),
    "TraceExport": _array({"type": "object"}),
    "AccessKey": ACCESS_KEY,
    "AccessKeys": _object({"keys": _array(ACCESS_KEY)}),
    "EngineStatus": _object(
        {
            "status": {"enum": ["running", "stopped", "not_installed"]},
            "state": STRING,
            "engine": _or_null(STRING),
            "version": _or_null(STRING),
            "address": _or_null(STRING),
            "loadedModels": _array(_object({"name": STRING, "size_bytes": INTEGER})),
            "why": STRING,
        }
    ),
    "EngineLog": _object({"lines": _array(STRING), "position": INTEGER, "isNew": BOOLEAN}),
    "Disk": _object(
        {
            "freeBytes": INTEGER,
            "sizeBytes": INTEGER,
            "kinds": _array(
                _object(
                    {
                        "name": STRING,
                        "sizeBytes": INTEGER,
                        "files": INTEGER,
                        "leftovers": INTEGER,
                        "leftoverBytes": INTEGER,
                    }
                )
            ),
        }
    ),
    "DiskCleaned": _object({"kind": STRING, "freedBytes": INTEGER}),
    "Success": _object({"success": {"const": True}}),
    "SimpleMessages": _object({"messages": _array(SIMPLE_MESSAGE)}),
    "SimpleExchange": _object({"userMessage": SIMPLE_MESSAGE, "assistantMessage": SIMPLE_MESSAGE}),
    "Health": _object({"status": {"const": "ok"}}),
    "Hello": _object({"message": STRING, "version": STRING}),
}
