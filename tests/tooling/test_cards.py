"""docs/cards.md: every alarm and every alert leads to a card, and every card says all that somebody needs at night."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from balancer.journal.kinds.alarms import ALARMS
from balancer.journal.kinds.cards import CARDS, card_of

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "cards.md").read_text(encoding="utf-8")
RULES = ROOT / "config" / "prometheus" / "alerts.yml"
ROW = re.compile(r"^\| (?P<names>`.*?) \| (?:\[[^\]]*\]\(#(?P<card>[^)]*)\)|[^|]*) \|$", re.MULTILINE)
PARTS = ("You see", "Safe already", "Now", "Over")
LEAST = 20


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def sections() -> dict[str, str]:
    """Heading to text, of the cards."""
    parts = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    del found["Which card"]
    return found


def table(head: str) -> dict[str, str]:
    """Name to the anchor of its card, of the table whose first column is headed like this."""
    text = PAGE[PAGE.index(f"\n| {head}") :].partition("\n\n")[0]
    return {name: row["card"] or "" for row in ROW.finditer(text) for name in re.findall(r"`([^`]+)`", row["names"])}


def test_every_alarm_of_the_fleet_has_its_card() -> None:
    assert set(CARDS) == set(ALARMS)
    assert table("alarm of the fleet") == CARDS
    assert all(card_of(alarm) == f"docs/cards.md#{anchor}" for alarm, anchor in CARDS.items())
    assert card_of("of_a_newer_release") == "docs/cards.md"


def test_every_alert_has_its_card() -> None:
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    shown = table("alert of Prometheus")
    assert set(shown) == {rule["alert"] for rule in rules}
    for rule in rules:
        assert rule["annotations"]["card"] == f"docs/cards.md#{shown[rule['alert']] or 'which-card'}"


def test_every_alarm_of_the_website_has_its_card() -> None:
    raised: set[str] = set()
    for path in (ROOT / "website").glob("*/*.py"):
        raised |= set(re.findall(r'\balarm\(\s*"(\w+)"', path.read_text(encoding="utf-8")))
    assert len(raised) > 5
    shown = {name for name in table("alarm of the website") if not name.startswith("…")}
    assert raised <= shown
    assert shown - raised <= {"transfer_refused", "unlock_refused"}  # f"{kind}_refused"


def test_every_card_is_led_to_and_exists() -> None:
    cards = {anchor(heading) for heading in sections()}
    led = set(re.findall(r"\]\(#([^)]+)\)", PAGE[: PAGE.index("\n## " + next(iter(sections())))]))
    assert led == cards
    assert len(cards) >= LEAST


def test_every_card_says_how_it_is_seen_what_is_safe_what_to_do_and_when_it_is_over() -> None:
    for heading, text in sections().items():
        assert tuple(re.findall(r"^- \*\*([\w ]+)\*\*", text, re.MULTILINE)) == PARTS, heading
