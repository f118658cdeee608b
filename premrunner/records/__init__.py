"""The things PremRunner talks about, as plain values that every part may hold.

Times of day are UTC; durations carry their unit in the name.
"""

from premrunner.records.asking import (
    ChatChunk,
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    EngineRequest,
    Json,
    Usage,
)
from premrunner.records.bases import Base, BaseOrigin
from premrunner.records.callers import AccessKey, Caller
from premrunner.records.conversations import (
    ChatMessage,
    Conversation,
    FoundConversation,
    Image,
    ListPlace,
    MessageStatus,
    TitleSource,
)
from premrunner.records.identity import ID_DIGITS, id_at, is_id, moment_of, new_id
from premrunner.records.models import EngineModel, LoadedModel, MessageRecord, ModelRecord
from premrunner.records.traces import (
    Feedback,
    Feeling,
    Trace,
    TraceBegun,
    TraceFilter,
    TraceFinished,
    TraceStatus,
    TraceSum,
)
from premrunner.records.uploads import Digest, UploadFile, UploadRecord, UploadState

__all__ = [
    "ID_DIGITS",
    "AccessKey",
    "Base",
    "BaseOrigin",
    "Caller",
    "ChatChunk",
    "ChatMessage",
    "ChatRequest",
    "CompletionRequest",
    "Conversation",
    "Digest",
    "EmbeddingRequest",
    "EngineModel",
    "EngineRequest",
    "Feedback",
    "Feeling",
    "FoundConversation",
    "Image",
    "Json",
    "ListPlace",
    "LoadedModel",
    "MessageRecord",
    "MessageStatus",
    "ModelRecord",
    "TitleSource",
    "Trace",
    "TraceBegun",
    "TraceFilter",
    "TraceFinished",
    "TraceStatus",
    "TraceSum",
    "UploadFile",
    "UploadRecord",
    "UploadState",
    "Usage",
    "id_at",
    "is_id",
    "moment_of",
    "new_id",
]
