"""Makes the pictures in docs/pictures: the demo is run, and what it shows is taken in a real browser."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import escape
from pathlib import Path

from playwright.async_api import Browser, async_playwright
from rich.console import Console
from rich.text import Text

from sandbox.slack.picture import CHROMIUM

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "pictures"
COMMAND = "make demo"
COLUMNS = 112
LAST_LINE = "Ctrl-C ends the demo"
TERMINAL = """<style>
  body {{ margin: 0; padding: 20px 24px; background: #1c1b22; color: #e8e6ee; width: max-content }}
  pre {{ margin: 0; font: 13px/1.45 "DejaVu Sans Mono", "Liberation Mono", monospace }}
</style><pre>$ {command}\n{{code}}</pre>"""


@asynccontextmanager
async def demo() -> AsyncIterator[str]:
    """What the demo printed, in colour, while it stays up."""
    colours = {"FORCE_COLOR": "1", "COLUMNS": str(COLUMNS), "TERM": "xterm-256color", "PYTHONUNBUFFERED": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "app.py",
        "demo",
        cwd=ROOT,
        env={**os.environ, **colours},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout
    said = ""
    try:
        while LAST_LINE not in said:
            line = await process.stdout.readline()
            if not line:
                sys.exit(f"The demo ended too early:\n{said}")
            said += line.decode()
        yield said
    finally:
        process.terminate()
        await process.communicate()


async def take_terminal(browser: Browser, said: str) -> None:
    console = Console(record=True, width=COLUMNS, file=Path(os.devnull).open("w"), color_system="truecolor")
    console.print(Text.from_ansi(said))
    page = await browser.new_page(device_scale_factor=2)
    html = console.export_html(inline_styles=True, code_format=TERMINAL.format(command=escape(COMMAND)))
    await page.set_content(html)
    await page.locator("body").screenshot(path=PICTURES / "terminal.png")


async def take_slack(browser: Browser, said: str) -> None:
    """A direct message and the default channel by their permalinks, and Home."""
    plain = Text.from_ansi(said).plain
    direct, channel = (re.findall(rf"http://\S+/archives/{kind}\w+/p\d+", plain)[0] for kind in "DC")
    slack = direct.partition("/archives/")[0]
    page = await browser.new_page(viewport={"width": 1000, "height": 620}, device_scale_factor=2)
    people = (await (await page.request.get(f"{slack}/page/people")).json())["people"]
    ids = {person["name"]: person["id"] for person in people}
    admin = next(person["id"] for person in people if person["role"] == "admin")

    await page.goto(direct)
    await page.locator("article").first.wait_for()
    await page.screenshot(path=PICTURES / "direct-message.png")

    channel_id = channel.split("/")[-2]
    await page.goto(f"{slack}/?user={ids['Kim Lee']}&channel={channel_id}")
    await page.locator("article").nth(2).wait_for()
    await page.screenshot(path=PICTURES / "default-channel.png")

    await page.goto(f"{slack}/?user={admin}&tab=home")
    await page.locator(".home .section").first.wait_for()
    await page.screenshot(path=PICTURES / "home.png")


async def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    async with demo() as said, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        await take_terminal(browser, said)
        await take_slack(browser, said)
        await browser.close()
    for picture in sorted(PICTURES.glob("*.png")):
        print(picture.relative_to(ROOT))


if __name__ == "__main__":
    asyncio.run(main())
