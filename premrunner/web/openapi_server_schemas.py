"""What the API answers about the server itself: its engine and disk, what it keeps, and what it can import."""

from collections.abc import Mapping

from premrunner.web.json_schema import BOOLEAN, INTEGER, NUMBER, STRING, Schema, array_of, object_of, or_null

KNOWN_BASE = object_of(
    {
        "id": STRING,
        "name": STRING,
        "sizeBytes": INTEGER,
        "architecture": STRING,
        "contextLength": INTEGER,
        "parameterCount": INTEGER,
    }
)
OUTPUT_TYPE = object_of(
    {
        "name": STRING,
        **dict.fromkeys(("weightBytes", "outputBytes", "narrowBytes", "narrowOutputBytes"), NUMBER),
    }
)
TERMS = {
    "architectures": array_of(STRING),
    "takesOtherArchitectures": BOOLEAN,
    "outputTypes": array_of(OUTPUT_TYPE),
    **dict.fromkeys(("maxUploadBytes", "freeBytes", "memoryBytes", "freeMemoryBytes", "contextLength"), INTEGER),
    "bases": array_of(KNOWN_BASE),
    "canDownloadBases": BOOLEAN,
    "ggufTensorTypes": {"type": "object"},
    "ggufFileTypes": {"type": "object"},
}
PULL_STEP = object_of(
    {"message": STRING, "percent": or_null(INTEGER), "doneBytes": INTEGER, "totalBytes": INTEGER},
)

SERVER_SCHEMAS: Mapping[str, Schema] = {
    "ImportOptions": {
        "anyOf": [object_of(TERMS), object_of({"base": or_null(KNOWN_BASE), "canDownload": BOOLEAN})],
    },
    "PullEvent": {"anyOf": [PULL_STEP, object_of({"ready": STRING})]},
    "Retention": object_of(dict.fromkeys(("days", "count", "calls", "outdated", "totalBytes", "freeBytes"), INTEGER)),
    "EngineStatus": object_of(
        {
            "status": {"enum": ["running", "stopped", "not_installed"]},
            "state": STRING,
            "engine": or_null(STRING),
            "version": or_null(STRING),
            "address": or_null(STRING),
            "loadedModels": array_of(object_of({"name": STRING, "size_bytes": INTEGER})),
            "why": STRING,
        }
    ),
    "EngineLog": object_of({"lines": array_of(STRING), "position": INTEGER, "isNew": BOOLEAN}),
    "Disk": object_of(
        {
            "freeBytes": INTEGER,
            "sizeBytes": INTEGER,
            "kinds": array_of(
                object_of(
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
    "DiskCleaned": object_of({"kind": STRING, "freedBytes": INTEGER}),
}
