"""Renders a message as a PNG, with the sandbox's page in Chromium. Needs the development dependencies."""

import shutil
from pathlib import Path

from playwright.async_api import async_playwright

from sandbox.slack.page.page import routes
from sandbox.slack.sandbox import SlackSandbox
from sandbox.slack.state import Json

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
"""The installed browser; None means the one that Playwright installed."""


async def save_picture(
    path: Path, blocks: list[Json], *, app: str = "UserGems", width: int = 680, dark: bool = False
) -> None:
    """Write a PNG of a message with these `blocks`, `width` CSS pixels wide at double resolution."""
    slack = SlackSandbox()
    message = {"app": app, "blocks": blocks, "ts": str(slack.world.now())}
    async with slack.serving(0, routes(slack)) as url, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await browser.new_page(
            viewport={"width": width, "height": 400},
            device_scale_factor=2,
            color_scheme="dark" if dark else "light",
        )
        await page.goto(f"{url}/static/picture.html")
        await page.wait_for_function("() => Boolean(window.drawPicture)")
        await page.evaluate("message => window.drawPicture(message)", message)
        await page.locator("#picture").screenshot(path=path)
        await browser.close()
