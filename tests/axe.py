"""Deque's axe on a page in Chromium: what stands in somebody's way, by the rules of WCAG 2.2 up to AA and good practice.

`axe-core` comes by `npm ci` in tests/clients, at the version of its lock file. It runs as the browser's driver, past the page's
own policy, and asks no network.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

SCRIPT = Path(__file__).parent / "clients" / "node_modules" / "axe-core" / "axe.min.js"
LOOKS = ("dark", "light", "phone")
WIDE, PHONE = (1280, 900), (390, 844)
RUN = """async (only) => {
  const found = await axe.run(document, { resultTypes: ['violations'], ...(only ? { runOnly: only } : {}) });
  const said = (node) => `${node.target.join(' ')}: ${node.any.map((each) => each.message).join('; ')}`;
  return found.violations.map(({ id, nodes }) => [id, nodes.slice(0, 3).map(said).join(' | ')]);
}"""
OF_COLOURS = ["color-contrast", "link-in-text-block"]
OF_SIZES = ["target-size", "scrollable-region-focusable", "meta-viewport"]


def is_here() -> bool:
    return SCRIPT.is_file()


@cache
def _source() -> str:
    return SCRIPT.read_text(encoding="utf-8")


def complaints(page: Page, only: list[str] | None = None) -> list[str]:
    """What axe finds on the page as it is; with `only`, by these rules."""
    page.evaluate(_source())
    found: list[list[Any]] = page.evaluate(RUN, only)
    return [f"{rule}: {where}" for rule, where in found]


def everywhere(page: Page) -> list[str]:
    """In the dark with all rules, in the light by colours, on a phone by colours and sizes; nothing may be wider than that."""
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
    found = [f"dark: {each}" for each in complaints(page)]
    page.emulate_media(color_scheme="light")
    found += [f"light: {each}" for each in complaints(page, OF_COLOURS)]
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    found += [f"phone: {each}" for each in complaints(page, [*OF_COLOURS, *OF_SIZES])]
    wide = page.evaluate("document.documentElement.scrollWidth")
    return found + ([f"phone: {wide} px wide"] if wide > PHONE[0] else [])
