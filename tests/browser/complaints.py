"""What a page did that it should not have: errors, warnings, requests to elsewhere."""

from playwright.sync_api import Page


class Complaints(list[str]):
    """What a page did that it should not have."""

    def watch(self, page: Page, own: str) -> None:
        page.on("pageerror", lambda error: self.append(f"error: {error}"))
        page.on(
            "console",
            lambda message: self.append(f"console: {message.text}") if message.type in ("error", "warning") else None,
        )
        page.on("request", lambda request: self.append(f"off host: {request.url}") if is_foreign(request.url) else None)

        def is_foreign(url: str) -> bool:
            return not url.startswith((own, "data:", "blob:"))
