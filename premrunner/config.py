"""Every setting: its name, default, meaning and check, in one table.

Settings come from the environment, then from a ``.env`` file in the current folder. A test compares the table with
``docs/configuration.md``. Only ``app.py`` and the command line read ``Settings``; everybody else is given values.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from premrunner.errors import SettingsInvalid

# The original asks for the same; shorter tokens can be guessed.
SHORTEST_TOKEN = 10


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the environment asks for, checked.

    Attributes are the lower-case names of ``SETTINGS``; an empty text or None means "not given".
    """

    data_path: Path
    auth_token: str
    host: str
    port: int
    ollama_host: str
    engine: str
    starter: str
    ollama_release_url: str
    base_model_url: str
    database_url: str
    redis_url: str
    web_workers: int
    model_concurrency: int
    model_queue: int
    queue_seconds: int
    context_length: int
    max_request_bytes: int
    max_upload_bytes: int
    upload_expiry_hours: int
    traces_keep_days: int
    traces_keep_count: int
    cors_origins: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    pull_registries: tuple[str, ...]
    metrics_access: str
    log_level: str
    log_format: str


@dataclass(frozen=True)
class Setting:
    """One line of the table.

    Attributes:
        name: Name in the environment.
        default: Text that is parsed when the environment has none.
        parse: Turns the text into the value; raises ValueError with the rest of the sentence "NAME …".
        meaning: One line for the documentation.
    """

    name: str
    default: str
    parse: Callable[[str], Any]
    meaning: str

    @property
    def attribute(self) -> str:
        """Its name in ``Settings``."""
        return self.name.removeprefix("PREMRUNNER_").lower()


def _number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,15}", text) or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}, not {text!r}")
        return int(text)

    return parse


def _choice(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(f"must be one of {', '.join(words)}, not {text!r}")
        return text.lower()

    return parse


def _folder(text: str) -> Path:
    path = Path(text).expanduser().absolute()
    if path.exists() and not path.is_dir():
        raise ValueError(f"must be a folder, but {text!r} is a file")
    return path


def _token(text: str) -> str:
    if text and (len(text) < SHORTEST_TOKEN or not text.isascii() or not text.isprintable() or " " in text):
        raise ValueError(f"must have at least {SHORTEST_TOKEN} printable characters and no spaces")
    return text


def _database_url(text: str) -> str:
    if text and not re.match(r"(sqlite|postgresql|postgres)(\+\w+)?://", text):
        raise ValueError("must start with sqlite:// or postgresql://")
    # SQLAlchemy's name for the driver that we depend on.
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", text)


def _redis_url(text: str) -> str:
    if text and not re.match(r"(rediss?|unix)://", text):
        raise ValueError("must start with redis://, rediss:// or unix://")
    return text


def _web_address(text: str) -> str:
    if not re.match(r"https?://[^/]", text):
        raise ValueError(f"must be an http:// or https:// address, not {text!r}")
    return text.rstrip("/")


def _url_template(text: str) -> str:
    if text and not (re.match(r"https?://[^/{}]+/", text) and sorted(re.findall(r"{.*?}", text)) == ["{file}", "{id}"]):
        raise ValueError("must be an http:// or https:// address with {id} and {file} in its path")
    return text


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(text.replace(",", " ").split())
    for origin in origins:
        if origin != "*" and not re.fullmatch(r"https?://[^/?#@*]+", origin):
            raise ValueError(f"must be * or origins such as https://example.com, not {origin!r}")
    return origins


def _hosts(text: str) -> tuple[str, ...]:
    hosts = tuple(text.lower().replace(",", " ").split())
    for host in hosts:
        if host != "*" and not re.fullmatch(r"[a-z0-9._-]+", host):
            raise ValueError(f"must be * or names without scheme and port, such as chat.example.com, not {host!r}")
    return hosts


def _host(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.:_-]+", text):
        raise ValueError(f"must be a host name or an address to listen on, not {text!r}")
    return text


SETTINGS = (
    Setting("DATA_PATH", "instance", _folder, "Folder that holds everything: database, models, logs, token."),
    Setting("AUTH_TOKEN", "", _token, "Token for login and API; made at the first start when not given."),
    Setting("HOST", "127.0.0.1", _host, "Address to listen on; `0.0.0.0` opens it to the network."),
    Setting("PORT", "3001", _number(1, 65535), "Port to listen on."),
    Setting("OLLAMA_HOST", "", str, "Where Ollama is or shall be, as Ollama itself spells it (`127.0.0.1:11434`)."),
    Setting(
        "PREMRUNNER_ENGINE",
        "auto",
        _choice("auto", "ollama", "builtin"),
        "`auto` takes a running Ollama, else an installed one, else the built-in engine.",
    ),
    Setting(
        "PREMRUNNER_STARTER",
        "auto",
        _choice("auto", "none"),
        "`auto` fetches a small model when there is none at all.",
    ),
    Setting(
        "OLLAMA_RELEASE_URL",
        "https://github.com/ollama/ollama/releases/latest/download",
        _web_address,
        "Where `premrunner engine install` finds Ollama's release.",
    ),
    Setting(
        "BASE_MODEL_URL",
        "",
        _url_template,
        "Where an adapter's base is downloaded from when it is not here, such as "
        "`https://huggingface.co/{id}/resolve/main/{file}`; nowhere when not given.",
    ),
    Setting("DATABASE_URL", "", _database_url, "Database; SQLite in DATA_PATH when not given."),
    Setting("REDIS_URL", "", _redis_url, "Queue of imports; SQLite in DATA_PATH when not given."),
    Setting("WEB_WORKERS", "1", _number(1, 64), "Web processes; one carries hundreds of streams."),
    Setting("MODEL_CONCURRENCY", "8", _number(1, 4096), "Chats that one web process asks of one model at a time."),
    Setting("MODEL_QUEUE", "128", _number(0, 65536), "Chats that may wait for a place; more are answered 503."),
    Setting("QUEUE_SECONDS", "120", _number(1, 3600), "Longest wait for a place before a 503."),
    Setting("CONTEXT_LENGTH", "4096", _number(256, 10_000_000), "Context of the built-in engine, in tokens."),
    Setting(
        "MAX_REQUEST_BYTES",
        str(64 * 1024 * 1024),
        _number(1024, 2**40),
        "Longest JSON request, images included; more is answered 413.",
    ),
    Setting(
        "MAX_UPLOAD_BYTES",
        str(100 * 10**9),
        _number(1, 2**50),
        "Largest upload, all its files together; more is answered 413.",
    ),
    Setting("UPLOAD_EXPIRY_HOURS", "48", _number(1, 8760), "Unfinished uploads are deleted after so long a silence."),
    Setting("TRACES_KEEP_DAYS", "0", _number(0, 36_500), "Older traces are deleted, unless judged; 0 keeps them."),
    Setting("TRACES_KEEP_COUNT", "0", _number(0, 10**12), "Of more traces the oldest are deleted; 0 keeps all."),
    Setting(
        "CORS_ORIGINS",
        "",
        _origins,
        "Other sites whose pages may call the API from a browser, such as `https://example.com`; `*` for all.",
    ),
    Setting(
        "ALLOWED_HOSTS",
        "",
        _hosts,
        "Names by which browsers may come, such as `chat.example.com`; `*` for all. Addresses and local names may.",
    ),
    Setting(
        "PULL_REGISTRIES",
        "",
        _hosts,
        "Registries without a public address that Ollama may pull models from; public ones it always may.",
    ),
    Setting("METRICS_ACCESS", "token", _choice("token", "public"), "Who may read `/metrics`: `token` or `public`."),
    Setting("LOG_LEVEL", "info", _choice("debug", "info", "warning", "error"), "How much is logged."),
    Setting("LOG_FORMAT", "text", _choice("text", "json"), "How log lines look: `text`, or `json`, an object a line."),
)


def load_settings(environ: Mapping[str, str] = os.environ, dotenv: Path | None = Path(".env")) -> Settings:
    """Return the settings of an environment.

    Args:
        environ: Variables; an empty one counts as not given.
        dotenv: File of more variables, which the environment overrides; None or absent is no file.

    Raises:
        SettingsInvalid: Some are wrong; it names all of them.
    """
    given = {name: value for name, value in (dotenv_values(dotenv) if dotenv else {}).items() if value}
    given |= {name: value for name, value in environ.items() if value}
    values, problems = {}, []
    for setting in SETTINGS:
        try:
            values[setting.attribute] = setting.parse(given.get(setting.name, setting.default).strip())
        except ValueError as error:
            problems.append(f"{setting.name} {error}")
    if problems:
        raise SettingsInvalid(problems)
    return Settings(**values)
