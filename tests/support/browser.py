"""A page as a browser shows it."""

from typing import Any

from playwright.sync_api import Browser, Page, ViewportSize


class Window:
    """A page that is open, and what it has complained of."""

    def __init__(self, browser: Browser, url: str, width: int, **how: Any) -> None:
        self.complaints: list[str] = []
        size = ViewportSize(width=width, height=800)
        self.page: Page = browser.new_page(viewport=size, **how)
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(url)

    def texts(self, selector: str) -> list[str]:
        """The texts of the elements that can be seen."""
        found = self.page.locator(selector).locator("visible=true")
        return [text.strip() for text in found.all_inner_texts()]

    def is_too_wide(self) -> bool:
        """Say whether one has to scroll to the side."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > innerWidth"))
