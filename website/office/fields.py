"""Fields of the office's forms. What they give is plain JSON: it is what a proposal keeps."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from website.office.models import Staff

CENTS_MAX = 10**15


class Target(forms.CharField):
    """What the operation is about: it comes with the link, and stands above the form."""

    widget = forms.HiddenInput


class Number(forms.IntegerField):
    """Of a row; it comes with the link."""

    widget = forms.HiddenInput


class Cents(forms.DecimalField):
    """12.34 for people, 1234 for programs."""

    def __init__(self, **more: Any) -> None:
        least = more.pop("least", 0)
        super().__init__(decimal_places=2, max_digits=15, min_value=least, max_value=Decimal(CENTS_MAX) / 100, **more)

    def clean(self, value: Any) -> int | None:
        found = super().clean(value)
        return None if found is None else int(found * 100)

    def prepare_value(self, value: Any) -> Any:
        return Decimal(value) / 100 if type(value) is int else value


class Numbers(forms.CharField):
    """Whole numbers with commas between; nothing: none."""

    def clean(self, value: Any) -> list[int] | None:
        text = super().clean(value)
        try:
            return [int(each) for each in text.replace(",", " ").split()] or None
        except ValueError:
            raise ValidationError(_("Whole numbers, with commas between.")) from None

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list) else value


class Table(forms.CharField):
    """Rows of a rake: `50: 10` on each line, up to 50 % of the tickets 10 % of the pot."""

    widget = forms.Textarea

    def clean(self, value: Any) -> list[list[int]] | None:
        text = super().clean(value)
        try:
            rows = [[int(part) for part in line.split(":", 1)] for line in text.splitlines() if line.strip()]
        except ValueError:
            rows = [[]]
        if any(len(row) != 2 for row in rows):
            raise ValidationError(_("On each line two whole numbers: up to, per cent."))
        return rows or None

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(f"{limit}: {rate}" for limit, rate in value) if isinstance(value, list) else value


class Ids(forms.CharField):
    """Names of things, with blanks or lines between."""

    widget = forms.Textarea

    def clean(self, value: Any) -> list[str]:
        return str(super().clean(value)).replace(",", " ").split()


class Moment(forms.DateTimeField):
    """A time (UTC) in unix ms; nothing: 0, at once."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"})

    def clean(self, value: Any) -> int:
        found = super().clean(value)
        return 0 if found is None else int(found.timestamp() * 1000)

    def prepare_value(self, value: Any) -> Any:
        if type(value) is not int:
            return value
        return datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%dT%H:%M") if value else ""


class Person(forms.CharField):
    """A member of the staff by name."""

    widget = forms.HiddenInput

    def clean(self, value: Any) -> str:
        name = str(super().clean(value))
        if not Staff.objects.filter(username=name).exists():
            raise ValidationError(_("There is nobody of this name."))
        return name


def plain(value: Any) -> Any:
    """What a form gave as JSON: a proposal keeps nothing else. Raises TypeError for what is not."""
    return json.loads(json.dumps(value))
