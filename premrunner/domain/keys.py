"""Access keys: what a program may be given instead of the token, and how much it may ask for.

A key calls models and nothing else. The key itself is shown once and never stored: it has 256 random bits, so its plain
SHA-256 cannot be guessed backwards, and finding it is one look into an index.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from premrunner.errors import InvalidRequest, RequestLimitReached, TokenLimitReached
from premrunner.records import AccessKey
from premrunner.storage.key_store import KeyStore, KeyUse

# Says what it is when it turns up in a log or a repository, where scanners look for such words.
PREFIX = "premrunner-"
RANDOM_BYTES = 32
HINT_CHARACTERS = 4

MINUTE_SECONDS = 60
DAY_SECONDS = 24 * 3600
LONGEST_NAME = 100


@dataclass(frozen=True)
class Allowance:
    """What a key may still ask for, after the request that is being answered.

    Attributes:
        key: The key.
        requests_used: Requests of this minute, this one included.
        tokens_used: Tokens of this day (UTC).
        minute_ends_seconds: Until the minute's count begins anew.
        day_ends_seconds: Until the day's does.
    """

    key: AccessKey
    requests_used: int
    tokens_used: int
    minute_ends_seconds: int
    day_ends_seconds: int

    def require(self) -> None:
        """Let the request through.

        Raises:
            RequestLimitReached: The key has asked too often in this minute.
            TokenLimitReached: It has used up its day's tokens.
        """
        key = self.key
        if key.requests_per_minute is not None and self.requests_used > key.requests_per_minute:
            raise RequestLimitReached(
                f"The key '{key.name}' may send {key.requests_per_minute} requests a minute. "
                f"Try again in {self.minute_ends_seconds} seconds.",
                retry_after_seconds=self.minute_ends_seconds,
            )
        if key.tokens_per_day is not None and self.tokens_used >= key.tokens_per_day:
            raise TokenLimitReached(
                f"The key '{key.name}' may use {key.tokens_per_day} tokens a day, and has. "
                "The next day begins at midnight UTC.",
                retry_after_seconds=self.day_ends_seconds,
            )


@dataclass(frozen=True)
class NewKey:
    """A key that was just made.

    Attributes:
        key: What is kept of it.
        secret: What its owner copies now or never.
    """

    key: AccessKey
    secret: str


class AccessKeys:
    """The keys and their limits.

    Args:
        store: Their rows, which all processes share.
        clock: Seconds since 1970.
    """

    def __init__(self, store: KeyStore, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def all(self) -> Sequence[AccessKey]:
        """Return every key, newest first."""
        return self._store.all()

    def create(
        self,
        name: str,
        *,
        models: Sequence[str] = (),
        requests_per_minute: int | None = None,
        tokens_per_day: int | None = None,
    ) -> NewKey:
        """Make a key.

        Args:
            name: What traces call it.
            models: Those it may call; none for all.
            requests_per_minute: Its limit, if it shall have one.
            tokens_per_day: Its limit, if it shall have one.

        Raises:
            InvalidRequest: The name is empty, too long or taken.
        """
        name = name.strip()
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise InvalidRequest(f"'name' must have 1 to {LONGEST_NAME} printable characters.", param="name")
        secret = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
        key = self._store.add(
            digest=_digest(secret),
            name=name,
            hint=f"{PREFIX}…{secret[-HINT_CHARACTERS:]}",
            models=models,
            requests_per_minute=requests_per_minute,
            tokens_per_day=tokens_per_day,
        )
        return NewKey(key, secret)

    def revoke(self, id_or_name: str) -> AccessKey:
        """End a key at once, and return what it was; its traces keep its name.

        Raises:
            KeyNotFound: There is none of that id or name.
        """
        return self._store.remove(id_or_name)

    def find(self, secret: str) -> AccessKey | None:
        """Return the key that a caller shows, or None if it is none of ours."""
        return self._store.find(_digest(secret)) if secret.startswith(PREFIX) else None

    def use(self, key: AccessKey) -> Allowance:
        """Count a request, and return what the key may still do; requests that are then refused count too."""
        now = self._clock()
        if self._is_unlimited(key):
            if key.last_used_at is None or now - key.last_used_at.timestamp() > MINUTE_SECONDS:
                self._count(key, now)
            return _allowance(key, KeyUse(0, 0), now)
        return _allowance(key, self._count(key, now), now)

    def spend(self, key: AccessKey, tokens: int) -> None:
        """Take tokens off the key's day."""
        if key.tokens_per_day is not None and tokens:
            self._store.spend(key.id, int(self._clock() // DAY_SECONDS), tokens)

    def _is_unlimited(self, key: AccessKey) -> bool:
        return key.requests_per_minute is None and key.tokens_per_day is None

    def _count(self, key: AccessKey, now: float) -> KeyUse:
        return self._store.count(key.id, int(now // MINUTE_SECONDS), int(now // DAY_SECONDS))


def _allowance(key: AccessKey, use: KeyUse, now: float) -> Allowance:
    return Allowance(
        key=key,
        requests_used=use.requests,
        tokens_used=use.tokens,
        minute_ends_seconds=MINUTE_SECONDS - int(now % MINUTE_SECONDS),
        day_ends_seconds=DAY_SECONDS - int(now % DAY_SECONDS),
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
