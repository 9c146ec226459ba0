"""A headless browser for HTML forms: opens pages, fills in and submits their forms, and follows redirects."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser

import aiohttp
from yarl import URL


@dataclass
class Choice:
    """An option or radio button of a form, with its visible label."""

    name: str
    value: str
    label: str = ""


@dataclass
class Page:
    """A loaded page and its form: `defaults` are the fields sent unless changed, `choices` those to choose from."""

    url: URL
    status: int
    text: str
    action: str = ""
    defaults: list[tuple[str, str]] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)


@dataclass(frozen=True)
class Visitor:
    """One browser session with its cookies."""

    http: aiohttp.ClientSession

    @classmethod
    @asynccontextmanager
    async def of(cls, app_url: str) -> AsyncIterator["Visitor"]:
        """Like browsers on localhost, the session sends secure cookies to `app_url` although it is plain HTTP."""
        jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=[URL(app_url)])
        async with aiohttp.ClientSession(cookie_jar=jar) as http:
            yield cls(http)

    async def open(self, url: str) -> Page:
        async with self.http.get(url) as response:
            return _parse(response.url, response.status, await response.text())

    async def submit(self, page: Page, choose: Mapping[str, str], press: Mapping[str, str] | None = None) -> Page:
        """Submit the form of `page`.

        `choose` maps field names to visible labels; `press` is the name and value of the button. Raises LookupError
        if the page has no such choice.
        """
        fields = [*page.defaults, *(press or {}).items()]
        for name, label in choose.items():
            matches = [choice for choice in page.choices if choice.name == name and choice.label.strip() == label]
            if not matches:
                raise LookupError(f"{page.url.path} (status {page.status}) has no option {label!r} for {name}")
            fields.append((name, matches[0].value))
        async with self.http.post(page.url.join(URL(page.action)), data=aiohttp.FormData(fields)) as response:
            return _parse(response.url, response.status, await response.text())


def _parse(url: URL, status: int, text: str) -> Page:
    page = Page(url, status, text)
    _FormParser(page).feed(text)
    return page


class _FormParser(HTMLParser):
    """Reads the form of an HTML page into `page`."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page
        self._select_name = ""
        self._open_choice: Choice | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        name, value = attributes.get("name", ""), attributes.get("value", "")
        if tag == "form":
            self.page.action = attributes.get("action", "")
        elif tag == "select":
            self._select_name = name
        elif tag == "option":
            self._add_choice(self._select_name, value)
        elif tag == "input" and attributes.get("type") == "radio":
            self._add_choice(name, value)
        elif tag == "input" and (attributes.get("type") == "hidden" or "checked" in attributes):
            self.page.defaults.append((name, value))

    def handle_endtag(self, tag: str) -> None:
        if tag in {"option", "label"}:
            self._open_choice = None

    def handle_data(self, data: str) -> None:
        if self._open_choice:
            self._open_choice.label += data

    def _add_choice(self, name: str, value: str) -> None:
        self._open_choice = Choice(name, value)
        self.page.choices.append(self._open_choice)
