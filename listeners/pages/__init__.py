"""The pages that people see in a browser: templates, stylesheets and scripts, and how they are rendered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import jinja2
from aiohttp import web

HERE = Path(__file__).parent
ASSETS = {
    "pages.css": "text/css",
    "salesforce.css": "text/css",
    "channels.js": "text/javascript",
    "gem.svg": "image/svg+xml",
}


@dataclass(frozen=True, kw_only=True)
class Notice:
    """
    A page with one message: what happened and what to do next.

    `action` is the label of the button to `url`, and `links` is a list of labels with their addresses.
    """

    title: str
    text: tuple[str, ...]
    action: str | None = None
    url: str = "/"
    links: tuple[tuple[str, str], ...] = ()
    status: int = 200
    headers: Mapping[str, str] | None = None


def sentence_of(error: Exception) -> str:
    """The text of an error as a sentence for a page."""
    text = str(error).rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."


@dataclass(frozen=True)
class Pages:
    templates: jinja2.Environment
    assets: Mapping[str, bytes]

    @classmethod
    def of(cls, app_name: str) -> Pages:
        """`app_name` is the app's display name in Slack, from the manifest."""
        assets = {name: (HERE / name).read_bytes() for name in ASSETS}
        templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        )
        # With the version in the address, browsers may cache a file until it changes.
        versions = {name: sha256(content).hexdigest()[:12] for name, content in assets.items()}
        templates.globals["asset"] = lambda name: f"/assets/{name}?v={versions[name]}"
        templates.globals["app_name"] = app_name
        return cls(templates, assets)

    def html(self, template: str, **values: object) -> str:
        return self.templates.get_template(template).render(values)

    def page(self, template: str, status: int = 200, **values: object) -> web.Response:
        return web.Response(text=self.html(template, **values), status=status, content_type="text/html")

    def notice(self, notice: Notice) -> web.Response:
        response = self.page("notice.html", notice.status, notice=notice)
        response.headers.update(notice.headers or {})
        return response

    async def asset(self, request: web.Request) -> web.Response:
        """Serve a file of ASSETS, which browsers may cache for a day. Other names are answered with 404."""
        name = request.match_info["name"]
        if name not in self.assets:
            raise web.HTTPNotFound
        headers = {"Cache-Control": "public, max-age=86400"}
        return web.Response(body=self.assets[name], content_type=ASSETS[name], charset="utf-8", headers=headers)
