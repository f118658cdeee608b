"""Who asks, and with which key."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class AccessKey:
    """What its owner gives to a program so that it may call models, and only that.

    Attributes:
        hint: Its first and last characters, by which its owner knows it again.
        models: Those it may call, by alias, id or engine name; empty for all.
        requests_per_minute: Its limit; None for none.
        tokens_per_day: Tokens read and generated that it may use from midnight to midnight UTC; None for no limit.
        last_used_at: When it was last used, to a minute or so.
    """

    id: str
    name: str
    hint: str
    models: Sequence[str]
    requests_per_minute: int | None
    tokens_per_day: int | None
    created_at: datetime
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        request_id: Id of the HTTP request; its trace has the same.
        endpoint: Path that was called.
        client: ``User-Agent`` of the program that calls.
        key: The access key it used; None for the owner, who has the token or a session.
    """

    request_id: str
    endpoint: str
    client: str = ""
    key: "AccessKey | None" = None

    @property
    def key_name(self) -> str:
        """Name of the access key; empty for the owner."""
        return self.key.name if self.key else ""
