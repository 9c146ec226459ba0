"""A person at a browser without a screen: opens pages, fills in their forms, and follows where they lead."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser

import aiohttp
from yarl import URL

Attributes = list[tuple[str, str | None]]


@dataclass
class Choice:
    """An option or a radio button, and the words beside it."""

    name: str
    value: str
    label: str = ""


@dataclass
class Page:
    """Where one is, and the form on it: what it sends anyway, and what there is to choose."""

    url: URL
    status: int
    text: str
    action: str = ""
    sent: list[tuple[str, str]] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)


@dataclass(frozen=True)
class Visitor:
    """One browser, with its cookies."""

    http: aiohttp.ClientSession

    @classmethod
    @asynccontextmanager
    async def of(cls, app_url: str) -> AsyncIterator["Visitor"]:
        """Browsers keep secure cookies of this machine though it has no https; so does this one for the app's."""
        jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=[URL(app_url)])
        async with aiohttp.ClientSession(cookie_jar=jar) as http:
            yield cls(http)

    async def open(self, url: str) -> Page:
        async with self.http.get(url) as response:
            return _read(response.url, response.status, await response.text())

    async def submit(self, page: Page, choose: Mapping[str, str], press: Mapping[str, str] | None = None) -> Page:
        """Fill in the form: `choose` is by the words on the page, `press` the button by its name and value.

        LookupError when there is no such choice.
        """
        fields = [*page.sent, *(press or {}).items()]
        for name, words in choose.items():
            found = [each for each in page.choices if each.name == name and each.label.strip() == words]
            if not found:
                raise LookupError(f"{page.url.path} (status {page.status}) has no {words!r} to choose as {name}")
            fields.append((name, found[0].value))
        async with self.http.post(page.url.join(URL(page.action)), data=aiohttp.FormData(fields)) as response:
            return _read(response.url, response.status, await response.text())


def _read(url: URL, status: int, text: str) -> Page:
    page = Page(url, status, text)
    _Forms(page).feed(text)
    return page


class _Forms(HTMLParser):
    """Reads the form of a page into it."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page
        self._select = ""
        self._labelled: Choice | None = None

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        of = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.page.action = of.get("action", "")
        elif tag == "select":
            self._select = of.get("name", "")
        elif tag == "option":
            self._offer(self._select, of)
        elif tag == "input" and of.get("type") == "radio":
            self._offer(of.get("name", ""), of)
        elif tag == "input" and (of.get("type") == "hidden" or "checked" in of):
            self.page.sent.append((of.get("name", ""), of.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag in {"option", "label"}:
            self._labelled = None

    def handle_data(self, data: str) -> None:
        if self._labelled:
            self._labelled.label += data

    def _offer(self, name: str, of: Mapping[str, str]) -> None:
        self._labelled = Choice(name, of.get("value", ""))
        self.page.choices.append(self._labelled)
