"""What the API answers, as JSON schemas: the shapes that the ``*_reply`` modules make."""

from collections.abc import Mapping

from premrunner.events import STAGES
from premrunner.web.json_schema import (
    ANYTHING,
    BOOLEAN,
    INTEGER,
    NUMBER,
    STRING,
    Schema,
    array_of,
    object_of,
    or_null,
)

USAGE = object_of({"prompt_tokens": INTEGER, "completion_tokens": INTEGER, "total_tokens": INTEGER})
TOOL_CALL = object_of(
    {"id": STRING, "type": {"const": "function"}, "function": object_of({"name": STRING, "arguments": STRING})},
    {"index": INTEGER},
)
SAID = {"content": or_null(STRING), "reasoning_content": STRING, "tool_calls": or_null(array_of(TOOL_CALL))}
LOGPROBS = or_null({"type": "object"})
FINISH_REASON = or_null({"enum": ["stop", "length", "tool_calls"]})
# Requests with `project_id` are answered with what Prem's old clients need besides.
LEGACY = {"provider_name": STRING, "provider_id": STRING, "trace_id": STRING, "document_chunks": array_of(ANYTHING)}

MODEL = object_of(
    {"id": STRING, "object": {"const": "model"}, "created": INTEGER, "owned_by": STRING},
    {"permission": array_of(ANYTHING), "root": STRING, "parent": or_null(STRING)},
)
LEGACY_MODEL = object_of({"id": STRING, "name": STRING, "model_type": STRING, "model_provider": STRING})
LEGACY_TRACE = object_of({"trace_id": STRING, "project_id": INTEGER, "model_id": STRING, "feedback": {"type": "null"}})
TRACE = object_of(
    {
        "id": STRING,
        "model": STRING,
        "promptTokens": INTEGER,
        "completionTokens": INTEGER,
        "totalTokens": INTEGER,
        "duration": INTEGER,
        "createdAt": STRING,
        "status": {"enum": ["running", "ok", "error", "cancelled", "interrupted"]},
        "error": or_null(STRING),
    },
    {"preview": STRING, "replayOf": or_null(STRING), "keyName": STRING, "endpoint": STRING, "stream": BOOLEAN},
)
TRACE_FEEDBACK = object_of({"rating": {"enum": [-1, 0, 1]}, "note": STRING, "correction": STRING})
TRACE_FIGURES = {
    **dict.fromkeys(("calls", "failed", "promptTokens", "completionTokens"), INTEGER),
    **{name: or_null(NUMBER) for name in ("p50Ms", "p95Ms")},
}
ACCESS_KEY = object_of(
    {
        "id": STRING,
        "name": STRING,
        "hint": STRING,
        "models": array_of(STRING),
        "requestsPerMinute": or_null(INTEGER),
        "tokensPerDay": or_null(INTEGER),
        "createdAt": STRING,
        "lastUsedAt": or_null(STRING),
    },
    {"key": STRING},
)
IMPORT_STATUS = {"enum": ["queued", "importing", "ready", "failed", "cancelled"]}
IMPORT_FAILURE = or_null(object_of({"message": STRING, "hint": STRING}))
IMPORT = object_of(
    {
        "id": STRING,
        "name": STRING,
        "status": IMPORT_STATUS,
        "stage": {"enum": ["", *STAGES]},
        "error": IMPORT_FAILURE,
        "canRetry": BOOLEAN,
        "createdAt": STRING,
        "finishedAt": or_null(STRING),
    }
)
IMPORT_EVENT = object_of(
    {
        "number": INTEGER,
        "modelId": STRING,
        "status": IMPORT_STATUS,
        "stage": {"enum": ["", *STAGES]},
        "percent": INTEGER,
        "message": STRING,
        "doneBytes": INTEGER,
        "totalBytes": INTEGER,
        "bytesPerSecond": or_null(NUMBER),
        "secondsLeft": or_null(NUMBER),
        "createdAt": STRING,
    }
)
FACTS = {"options": {"type": "object"}, "found": {"type": "object"}, "proof": {"type": "object"}}
BASE = object_of(
    {
        **{
            "id": STRING,
            "name": STRING,
            "names": array_of(STRING),
            "origin": {"enum": ["upload", "download", "folder"]},
        },
        **{"sizeBytes": INTEGER, "createdAt": STRING, "files": array_of(object_of({"name": STRING, "sha256": STRING}))},
    }
)
OWN_MODEL = object_of(
    {"id": STRING, "name": STRING, "alias": STRING, "size": INTEGER, "uploadedAt": STRING, **FACTS},
)
SIMPLE_MESSAGE = object_of({"id": STRING, "content": STRING, "role": STRING, "model": STRING}, {"createdAt": STRING})
CHAT_FRAME = {"id": STRING, "created": INTEGER, "model": STRING}
COMPLETION_CHOICE = object_of({"index": INTEGER, "text": STRING, "logprobs": LOGPROBS, "finish_reason": FINISH_REASON})
TEXT_COMPLETION = {"object": {"const": "text_completion"}, "choices": array_of(COMPLETION_CHOICE)}
ANTHROPIC_USAGE = object_of({"input_tokens": INTEGER, "output_tokens": INTEGER})

SCHEMAS: Mapping[str, Schema] = {
    "Error": object_of(
        {
            "error": object_of(
                {"message": STRING, "type": STRING, "param": or_null(STRING), "code": or_null(STRING)},
            )
        },
        {"type": {"const": "error"}, "request_id": STRING},
    ),
    "ChatCompletion": object_of(
        {
            **CHAT_FRAME,
            "object": {"const": "chat.completion"},
            "choices": array_of(
                object_of(
                    {
                        "index": INTEGER,
                        "message": object_of({"role": {"const": "assistant"}, "content": or_null(STRING)}, SAID),
                        "finish_reason": FINISH_REASON,
                        "logprobs": LOGPROBS,
                    }
                )
            ),
            "usage": USAGE,
        },
        LEGACY,
    ),
    "ChatCompletionChunk": object_of(
        {
            **CHAT_FRAME,
            "object": {"const": "chat.completion.chunk"},
            "choices": array_of(
                object_of(
                    {
                        "index": INTEGER,
                        "delta": object_of({}, {"role": {"const": "assistant"}, **SAID}),
                        "finish_reason": FINISH_REASON,
                        "logprobs": LOGPROBS,
                    }
                )
            ),
        },
        {"usage": USAGE, **LEGACY},
    ),
    "Completion": object_of({**CHAT_FRAME, **TEXT_COMPLETION, "usage": USAGE}),
    "CompletionChunk": object_of({**CHAT_FRAME, **TEXT_COMPLETION}, {"usage": USAGE}),
    "EmbeddingList": object_of(
        {
            "object": {"const": "list"},
            "data": array_of(
                object_of(
                    {
                        "object": {"const": "embedding"},
                        "index": INTEGER,
                        "embedding": {"anyOf": [STRING, array_of(NUMBER)]},
                    }
                )
            ),
            "model": STRING,
            "usage": object_of({"prompt_tokens": INTEGER, "total_tokens": INTEGER}),
        },
        LEGACY,
    ),
    "Response": object_of(
        {
            "id": STRING,
            "object": {"const": "response"},
            "created_at": INTEGER,
            "status": {"enum": ["in_progress", "completed", "incomplete"]},
            "model": STRING,
            "output": array_of(
                object_of({"id": STRING, "type": {"enum": ["message", "reasoning", "function_call"]}, "status": STRING})
            ),
            "error": {"type": "null"},
            "incomplete_details": or_null(object_of({"reason": STRING})),
            "usage": or_null(object_of({"input_tokens": INTEGER, "output_tokens": INTEGER, "total_tokens": INTEGER})),
        }
    ),
    "ResponseEvent": object_of({"type": STRING}, {"sequence_number": INTEGER}),
    "Message": object_of(
        {
            "id": STRING,
            "type": {"const": "message"},
            "role": {"const": "assistant"},
            "model": STRING,
            "content": array_of(object_of({"type": {"enum": ["text", "thinking", "tool_use"]}})),
            "stop_reason": or_null({"enum": ["end_turn", "max_tokens", "tool_use"]}),
            "stop_sequence": {"type": "null"},
            "usage": ANTHROPIC_USAGE,
        }
    ),
    "MessageEvent": object_of({"type": STRING}),
    "Model": MODEL,
    "Models": object_of({"object": {"const": "list"}, "data": array_of(MODEL), "models": array_of({"type": "object"})}),
    "ModelDeleted": object_of(
        {"id": STRING, "object": {"const": "model"}, "deleted": {"const": True}, "message": STRING},
        {"freedBytes": INTEGER},
    ),
    "ModelStatus": object_of(
        {"id": STRING, "name": STRING, "alias": or_null(STRING), "imported": BOOLEAN, "status": STRING},
        {
            **{name: IMPORT["properties"][name] for name in ("stage", "error", "canRetry", "createdAt", "finishedAt")},
            **{"percent": INTEGER, "message": STRING, "place": INTEGER, "events": array_of(IMPORT_EVENT)},
            **FACTS,
        },
    ),
    "Imports": object_of({"imports": array_of(IMPORT)}),
    "ImportNews": object_of({"id": STRING, "message": STRING}),
    "ModelUploaded": object_of({"id": STRING, "message": STRING, "path": STRING}),
    "Bases": object_of({"bases": array_of(BASE), "sizeBytes": INTEGER}),
    "BaseDeleted": object_of({"id": STRING, "freedBytes": INTEGER}),
    "OwnModel": OWN_MODEL,
    "ModelRunning": object_of({"status": BOOLEAN}),
    "Done": object_of({"message": STRING}),
    "LegacyModel": LEGACY_MODEL,
    "LegacyModels": array_of(LEGACY_MODEL),
    "LegacyTrace": LEGACY_TRACE,
    "LegacyTraces": array_of(LEGACY_TRACE),
    "Traces": object_of(
        {"traces": array_of(TRACE), "total": INTEGER, "page": INTEGER, "limit": INTEGER, "pages": INTEGER},
        {"next": or_null(STRING), "previous": or_null(STRING)},
    ),
    "Trace": {
        **TRACE,
        "properties": {**TRACE["properties"], "input": STRING, "output": STRING, "feedback": TRACE_FEEDBACK},
        "required": [*TRACE["required"], "input", "output", "feedback"],
    },
    "TracesDeleted": object_of({"deleted": INTEGER}),
    "TraceStats": object_of(
        {
            "columnSeconds": INTEGER,
            "columns": array_of(object_of({"start": STRING, **TRACE_FIGURES})),
            "total": object_of(TRACE_FIGURES),
        }
    ),
    "TraceExport": array_of({"type": "object"}),
    "AccessKey": ACCESS_KEY,
    "AccessKeys": object_of({"keys": array_of(ACCESS_KEY)}),
    "Success": object_of({"success": {"const": True}}),
    "SimpleMessages": object_of({"messages": array_of(SIMPLE_MESSAGE)}),
    "SimpleExchange": object_of({"userMessage": SIMPLE_MESSAGE, "assistantMessage": SIMPLE_MESSAGE}),
    "Health": object_of({"status": {"const": "ok"}}),
    "Hello": object_of({"message": STRING, "version": STRING}),
}
