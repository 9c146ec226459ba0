"""The style sheet that all pages share."""

from __future__ import annotations

import re

from listeners.pages import HERE


def test_text_has_enough_contrast() -> None:
    """The contrast is at least 4.5 to 1, in light and dark mode: https://www.w3.org/TR/WCAG22/#contrast-minimum"""
    css = (HERE / "pages.css").read_text()
    light, dark = (dict(re.findall(r"--([\w-]+): (#\w{6});", part)) for part in css.split("@media", 2)[:2])
    pairs = [
        *((text, background) for text in ("text", "muted", "accent") for background in ("background", "surface")),
        ("text", "tag"),
        ("on-accent", "accent"),
        ("on-accent", "accent-strong"),
        ("success", "success-background"),
    ]
    weak = [
        (text, background, colors[text], colors[background])
        for colors in (light, dark)
        for text, background in pairs
        if _contrast(colors[text], colors[background]) < 4.5
    ]
    assert weak == []


def _contrast(one: str, other: str) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
