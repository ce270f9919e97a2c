"""Browsers by the names that people know; what they send of themselves is long and says little."""

from __future__ import annotations

_BROWSERS = (
    *(("Edg/", "Edge"), ("OPR/", "Opera"), ("YaBrowser/", "Yandex Browser"), ("SamsungBrowser/", "Samsung Internet")),
    *(("Firefox/", "Firefox"), ("FxiOS/", "Firefox"), ("CriOS/", "Chrome"), ("Chrome/", "Chrome"), ("Safari/", "Safari")),
)
_SYSTEMS = (
    *(("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows")),
    *(("Mac OS X", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux")),
)


def called(agent: str) -> str:
    """`Firefox, Linux`; the beginning of what it sends where that is nothing known, and "" for nothing."""
    found = [next((name for part, name in each if part in agent), "") for each in (_BROWSERS, _SYSTEMS)]
    return ", ".join(name for name in found if name) or agent[:60]
