"""Texts of the site: pages of information and news, in both languages, by version; another person reads them first."""

from __future__ import annotations

import re

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from website.office import fields, texts
from website.office.models import Text
from website.office.operation import PLAIN, Acting, Args, Operation, Plan, RefusedError
from website.office.roles import OWNER, SUPPORT

WHO = frozenset((SUPPORT, OWNER))
BODY_MAX = 20_000
NAME = re.compile(rf"{texts.NEWS}[a-z0-9]+(-[a-z0-9]+)*")
PARTS = ("title_en", "body_en", "title_ru", "body_ru")


def _said(name: str) -> dict[str, object]:
    row = texts.newest(name)
    found: dict[str, object] = {"version": 0 if row is None else row.version}
    return found | {part: "" if row is None else getattr(row, part) for part in PARTS}


def _plan(args: Args) -> Plan:
    name = args["name"]
    if name not in texts.PAGES and not (NAME.fullmatch(name) and len(name) <= 64):
        raise RefusedError(_("A page of information, or news- and a word in small Latin letters."), "name")
    before = _said(name)
    after = {"version": int(str(before["version"])) + 1, **{part: args[part].strip() for part in PARTS}}
    if bool(after["body_en"]) != bool(after["body_ru"]):
        raise RefusedError(_("Write it in both languages, or take it down in both."), "body_ru")
    if all(before[part] == after[part] for part in PARTS):
        raise RefusedError(_("Nothing is changed."))
    gone = _("The site's own text is shown again.") if name in texts.PAGES else _("It is taken down.")
    meaning = (
        (_("Everybody reads it from the moment of the approval. Old versions are kept."),) if after["body_en"] else (gone,)
    )
    return Plan(name, before, after, meaning)


def _write(args: Args, acting: Acting) -> None:
    after = _plan(args).after
    people = {"written_by": acting.by, "approved_by": acting.other}
    Text.objects.create(name=args["name"], **after, **people, why=acting.why, at_ms=acting.now_ms)


def _form(given: Args) -> dict[str, forms.Field]:
    name = str(given.get("name") or "")
    now = _said(name)
    named: forms.Field = (
        fields.Target()
        if name in texts.PAGES or texts.newest(name)
        else forms.CharField(
            max_length=64,
            initial=texts.NEWS,
            label=gettext_lazy("Name"),
            help_text=gettext_lazy("news- and a word; nobody reads it."),
        )
    )
    marks = gettext_lazy("An empty line ends a paragraph. ## heading, - list, **strong**, [words](/address).")
    made = {"name": named}
    for part, label in (
        ("title_en", gettext_lazy("Title, English")),
        ("body_en", gettext_lazy("Text, English")),
        ("title_ru", gettext_lazy("Title, Russian")),
        ("body_ru", gettext_lazy("Text, Russian")),
    ):
        if part.startswith("body"):
            made[part] = forms.CharField(
                required=False,
                max_length=BODY_MAX,
                label=label,
                help_text=marks,
                initial=now[part],
                strip=False,
                widget=forms.Textarea(attrs={"rows": 12}),
            )
        else:
            made[part] = forms.CharField(max_length=120, label=label, initial=now[part])
    return made


OPERATIONS = (
    Operation("change_text", gettext_noop("Write a text of the site"), WHO, 2, PLAIN, _plan, _write, _form, "office:texts"),
)
