"""Makes the pictures in docs/pictures: the demo is run, and what it shows is taken in a real browser."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path

from playwright.async_api import Browser, async_playwright
from rich.console import Console
from rich.text import Text

from sandbox.slack.picture import CHROMIUM

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "pictures"
COMMAND = "make demo"
COLUMNS = 112
SHARPNESS = 1.5
WIDTH, HEIGHT = 1000, 400
FITTING = """messages => {
  const content = document.getElementById("content"), there = [...content.querySelectorAll("article")];
  const around = innerHeight - content.clientHeight, shown = there.slice(-messages);
  if (!messages || shown.length == there.length) return around + content.scrollHeight;
  return around + 24 + shown.at(-1).getBoundingClientRect().bottom - shown[0].getBoundingClientRect().top | 0;
}"""
"""How high the window is in which so many of the last messages can be read whole; 0: all that there is."""

LAST_LINE = "Ctrl-C ends the demo"
TERMINAL = """<style>
  body {{ margin: 0; padding: 20px 24px; background: #1c1b22; color: #e8e6ee; width: max-content }}
  pre {{ margin: 0; font: 13px/1.45 "DejaVu Sans Mono", "Liberation Mono", monospace }}
</style><pre>{code}</pre>"""


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
    console = Console(record=True, width=COLUMNS, file=StringIO(), color_system="truecolor")
    console.print(Text.assemble((f"$ {COMMAND}\n", "bold"), Text.from_ansi(said)))
    page = await browser.new_page(device_scale_factor=SHARPNESS)
    html = console.export_html(inline_styles=True, code_format=TERMINAL)
    await page.set_content(html)
    await page.locator("body").screenshot(path=PICTURES / "terminal.png")


async def take_slack(browser: Browser, said: str) -> None:
    """A direct message and the default channel by their permalinks, and Home."""
    plain = Text.from_ansi(said).plain
    direct, channel = (re.findall(rf"http://\S+/archives/{kind}\w+/p\d+", plain)[0] for kind in "DC")
    slack = direct.partition("/archives/")[0]
    page = await browser.new_page(device_scale_factor=SHARPNESS)
    people = (await (await page.request.get(f"{slack}/page/people")).json())["people"]
    admin = next(person["id"] for person in people if person["role"] == "admin")
    shown = {
        "direct-message": (direct, "article", 2),
        "default-channel": (f"{slack}/?user={admin}&channel={channel.split('/')[-2]}", "article", 3),
        "home": (f"{slack}/?user={admin}&tab=home", ".home .section", 0),
    }
    for name, (url, awaited, messages) in shown.items():
        await page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
        await page.goto(url)
        await page.locator(awaited).nth(max(messages - 1, 0)).wait_for()
        await page.set_viewport_size({"width": WIDTH, "height": await page.evaluate(FITTING, messages)})
        await page.reload()
        await page.locator(awaited).nth(max(messages - 1, 0)).wait_for()
        await page.screenshot(path=PICTURES / f"{name}.png")


async def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    async with demo() as said, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        await take_terminal(browser, said)
        await take_slack(browser, said)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
