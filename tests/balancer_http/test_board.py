"""The Grafana board, the alert rules and the guide are held to what a balancer tells: each figure named there exists, with the
labels and the words that are asked for."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml
from balancer_http.harness import ONE_DATABASE, Service
from prometheus_client.parser import text_string_to_metric_families

from balancer.metrics import words
from shared.domain.status import TradeStatus

ROOT = Path(__file__).resolve().parents[2]
BOARD = ROOT / "config" / "grafana" / "fleet.json"
RULES = ROOT / "config" / "prometheus" / "alerts.yml"
GUIDE = ROOT / "docs" / "operations.md"
NAME = re.compile(r"\bfleet_[a-z_]+")
SELECTED = re.compile(r"\b(fleet_[a-z_]+)\{([^}]*)\}")
CHOSEN = re.compile(r'([a-z_]+)(?:=~|!~|!=|=)"([^"]*)"')
WORDS: dict[str, frozenset[str]] = {
    "reason": words.WHY_NOT | words.ENDS | words.PAUSES | {""},
    "alarm": words.ALARM_NAMES,
    "status": frozenset(status.value for status in TradeStatus) | {"5.."},
    "state": words.STATES | {"given", "due"},
    "may": frozenset({"look", "take", "give"}),
    "seen": frozenset({"true", "false"}),
    "target": frozenset({"enabled", "disabled"}),
    "route": frozenset({"GET /readyz"}),
    "le": frozenset(),
}


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def expressions() -> list[str]:
    board = json.loads(BOARD.read_text(encoding="utf-8"))
    shown = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    return [*shown, *(rule["expr"] for rule in rules())]


@ONE_DATABASE
async def test_each_figure_that_is_named_exists(service: Service) -> None:
    await service.client.get("/readyz")
    text = await (await service.client.get("/metrics")).text()
    labels: dict[str, set[str]] = {}
    told = set()
    for family in text_string_to_metric_families(text):
        told.add(family.name + "_total" * (family.type == "counter"))
        labels.setdefault(family.name, set())
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
        if family.type == "histogram":
            labels |= {family.name + end: labels.get(family.name + end, set()) for end in ("_bucket", "_count", "_sum")}
        if family.type == "counter":
            labels.setdefault(family.name + "_total", set())
    for expression in expressions():
        for name in NAME.findall(expression):
            assert name in labels, f"no such figure: {name}"
        for name, chosen in SELECTED.findall(expression):
            for label, wanted in CHOSEN.findall(chosen):
                assert not labels[name] or label in labels[name], f"{name} has no label {label}"
                assert set(wanted.split("|")) <= WORDS[label], f"{name} never says {label}={wanted}"
    explained = set(re.findall(r"`(fleet_[a-z_]+)`", GUIDE.read_text(encoding="utf-8")))
    ours = {name for name in told if name.startswith("fleet_") and not name.startswith("fleet_process_")}
    assert ours <= explained, "docs/operations.md says what each figure means"
    assert explained <= ours


def test_each_alert_says_what_to_do() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("page", "warning")
        assert set(rule["annotations"]) == {"summary", "action", "card"}
        assert rule["expr"].count("(") == rule["expr"].count(")")
    if promtool := shutil.which("promtool"):
        subprocess.run([promtool, "check", "rules", str(RULES)], check=True, capture_output=True)


def test_every_alarm_of_the_fleet_reaches_an_alert() -> None:
    assert "FleetAlarm" in [rule["alert"] for rule in rules() if "increase(fleet_alarms_total[" in rule["expr"]]
