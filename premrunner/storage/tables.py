"""The tables of models, uploads, keys, settings and messages; those of the original PremRunner keep its columns."""

from datetime import datetime, timezone

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from premrunner.extensions import Table


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: stored as UTC without zone (SQLite knows none), given back with it."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store as naive UTC."""
        return None if value is None else value.astimezone(timezone.utc).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back as aware UTC."""
        return None if value is None else value.replace(tzinfo=timezone.utc)


class ModelRow(Table):
    """A model that PremRunner brought in."""

    __tablename__ = "models"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    alias: Mapped[str] = mapped_column(String(350), unique=True)
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    downloaded: Mapped[bool] = mapped_column(default=False)
    options: Mapped[str] = mapped_column(Text, default="{}", server_default="{}")
    findings: Mapped[str] = mapped_column(Text, default="{}", server_default="{}")
    proof: Mapped[str] = mapped_column(Text, default="{}", server_default="{}")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class UploadRow(Table):
    """Bytes that are arriving or have arrived; which chunks are there stands in a ledger beside the files."""

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    files: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    chunk_bytes: Mapped[int | None] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(20))
    expected_sha256: Mapped[str] = mapped_column(String(64), default="")
    sha256: Mapped[str] = mapped_column(String(64), default="", index=True)
    tus_metadata: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SettingRow(Table):
    """What is chosen in the site, as JSON; it goes before the environment's setting."""

    __tablename__ = "settings"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class AccessKeyRow(Table):
    """What a program may be given instead of the token; minutes and days are numbered from 1970."""

    __tablename__ = "access_keys"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    hint: Mapped[str] = mapped_column(String(40))
    models: Mapped[str] = mapped_column(Text, default="[]")
    requests_per_minute: Mapped[int | None] = mapped_column(Integer)
    tokens_per_day: Mapped[int | None] = mapped_column(BigInteger)
    minute: Mapped[int] = mapped_column(BigInteger, default=0)
    minute_requests: Mapped[int] = mapped_column(Integer, default=0)
    day: Mapped[int] = mapped_column(Integer, default=0)
    day_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class MessageRow(Table):
    """A message of the simple chat history."""

    __tablename__ = "messages"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    content: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(String(20))
    model: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
