"""What every answer tells the browser not to do."""

from flask import Flask, Response

# Nothing from elsewhere and nothing inline: text of a model or a stranger that became markup would still run no script.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # For browsers that do not read frame-ancestors.
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def register_security_headers(app: Flask) -> None:
    """Send them with every answer; a view that needs another value sets its own."""

    @app.after_request
    def protect(response: Response) -> Response:
        own = {name.lower() for name, _ in response.headers}
        response.headers.extend([(name, value) for name, value in HEADERS.items() if name.lower() not in own])
        if response.mimetype == "text/html":
            # Pages show what only the owner may see: a browser keeps none for whoever comes next.
            response.headers.setdefault("Cache-Control", "private, no-cache")
        return response
