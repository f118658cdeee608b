"""What an access key may still ask for, in the headers that OpenAI's clients know."""

from flask import Flask, Response, g

from premrunner.domain.keys import Allowance


def register_rate_headers(app: Flask) -> None:
    """Send them with every answer to a key that has limits."""

    @app.after_request
    def show_allowance(response: Response) -> Response:
        allowance: Allowance | None = g.get("allowance")
        if allowance is not None:
            response.headers.update(_headers(allowance))
        return response


def _headers(allowance: Allowance) -> dict[str, str]:
    limits = (
        ("requests", allowance.key.requests_per_minute, allowance.requests_used, allowance.minute_ends_seconds),
        ("tokens", allowance.key.tokens_per_day, allowance.tokens_used, allowance.day_ends_seconds),
    )
    return {
        f"x-ratelimit-{word}-{what}": value
        for what, limit, used, ends_seconds in limits
        if limit is not None
        for word, value in (
            ("limit", str(limit)),
            ("remaining", str(max(limit - used, 0))),
            ("reset", f"{ends_seconds}s"),
        )
    }
