"""The tables of imports and of what they tell."""

from datetime import datetime

from sqlalchemy import BigInteger, Float, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from premrunner.extensions import Table
from premrunner.storage.tables import UtcDateTime

# SQLite counts up only what it calls INTEGER.
_NUMBER = BigInteger().with_variant(Integer, "sqlite")


class ImportRow(Table):
    """One upload on its way to a model."""

    __tablename__ = "imports"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(20), index=True)
    stage: Mapped[str] = mapped_column(String(20), default="")
    options: Mapped[str] = mapped_column(Text, default="{}")
    results: Mapped[str] = mapped_column(Text, default="{}")
    error: Mapped[str] = mapped_column(Text, default="")
    hint: Mapped[str] = mapped_column(Text, default="")
    can_retry: Mapped[bool] = mapped_column(default=False)
    is_cancel_wanted: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    queued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ImportEventRow(Table):
    """One step of an import; AUTOINCREMENT, so that no number is ever given twice."""

    __tablename__ = "import_events"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012  # SQLAlchemy's way to say it.

    number: Mapped[int] = mapped_column(_NUMBER, primary_key=True, autoincrement=True)
    import_id: Mapped[str] = mapped_column(String(40), index=True)
    status: Mapped[str] = mapped_column(String(20))
    stage: Mapped[str] = mapped_column(String(20))
    percent: Mapped[int] = mapped_column(Integer)
    message: Mapped[str] = mapped_column(Text)
    done_bytes: Mapped[int] = mapped_column(BigInteger)
    total_bytes: Mapped[int] = mapped_column(BigInteger)
    bytes_per_second: Mapped[float | None] = mapped_column(Float)
    seconds_left: Mapped[float | None] = mapped_column(Float)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
