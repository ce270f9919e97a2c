"""Lists of everything, by Django's admin: filter, search, page through, read one row, take a list away as CSV.

Nothing is added, changed or deleted here, by nobody: rows change by operations only.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin import AdminSite, ModelAdmin, SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, URLResolver, include, path
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from website.accounts.models import Player
from website.care.models import PlayDecision, PlayLog
from website.engine.clock import wall_ms
from website.engine.models import Alarm, Call, CustodyCheck
from website.ledger.models import Account, Entry, Posting
from website.office import guard, operations, roles
from website.office.models import Line, Proposal, Text
from website.pages.templatetags.site import cents, moment
from website.raffles.models import Template, TemplateVersion
from website.rooms.models import Bet, Guarantee, Lane, LaneEvent, Order, RoomVersion, Round, TypedNumber

DAY_MS = 86_400_000
SHOWN_AS_HEX = frozenset(("hash", "rules_hash", "seal", "salt", "log", "outcome_hash", "entropy"))
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def amount(name: str, title: Any) -> Callable[[Any], str]:
    """A column of cents."""

    @admin.display(description=title, ordering=name)
    def column(row: Any) -> str:
        return cents(getattr(row, name))

    return column


def time_of(name: str, title: Any) -> Callable[[Any], str]:
    """A column of unix ms."""

    @admin.display(description=title, ordering=name)
    def column(row: Any) -> str:
        at_ms = getattr(row, name)
        when = moment(at_ms) if at_ms else None
        return "" if when is None else when.strftime("%Y-%m-%d %H:%M:%S")

    return column


class When(SimpleListFilter):
    """Today, seven days, thirty days, by a column of unix ms."""

    title = gettext_lazy("time")
    parameter_name = "when"
    column = "at_ms"

    def lookups(self, _request: Any, _list: Any) -> list[tuple[str, Any]]:
        return [("1", gettext_lazy("today")), ("7", gettext_lazy("7 days")), ("30", gettext_lazy("30 days"))]

    def queryset(self, _request: Any, rows: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        if not (value.isascii() and value.isdigit() and len(value) < 19):
            return rows
        since_ms = wall_ms() // DAY_MS * DAY_MS - (min(int(value), 10_000) - 1) * DAY_MS
        return rows.filter(**{f"{self.column}__gte": since_ms})


def when(name: str) -> type[When]:
    return type("When", (When,), {"column": name})


if TYPE_CHECKING:
    Rows = ModelAdmin[Any]
else:  # at run time it takes no parameter
    Rows = ModelAdmin


class ReadOnly(Rows):
    """A list, and the page of one row. `seen_by`: the roles that may look."""

    actions = None
    list_per_page = 50
    show_full_result_count = False
    ordering = ("-id",)
    title: Any = ""
    seen_by = roles.ALL
    hidden: tuple[str, ...] = ()

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        person = guard.staff_of(request)
        return person is not None and bool(self.seen_by & person.role_set)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        meta = self.model._meta
        name = f"{meta.app_label}_{meta.model_name}"
        view = self.admin_site.admin_view
        return [
            path("", view(self.changelist_view), name=f"{name}_changelist"),
            path("export", view(require_POST(self.export)), name=f"{name}_export"),
            path("<path:object_id>/", view(self.change_view), name=f"{name}_change"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        if not self.has_view_permission(request):
            return guard.refused(request)
        if ERROR_FLAG in request.GET:  # Django leads here from filters that it cannot read: the list without any
            return redirect(request.path)
        return super().changelist_view(request, extra_context)

    def change_view(self, request: HttpRequest, object_id: str, *_more: Any, **_named: Any) -> HttpResponse:
        """One row as it is. Personal ones leave a line in the log."""
        if not self.has_view_permission(request):
            return guard.refused(request)
        row = self.get_object(request, object_id)
        if row is None:
            return guard.not_found(request)
        if self.seen_by <= roles.PERSONAL:
            operations.noted(guard.asker(request), "looked", f"{self.model._meta.model_name} {row.pk}", wall_ms())
        title = f"{capfirst(str(self.model._meta.verbose_name))} {row.pk}"
        return render(request, "office/row.html", {"title": title, "pairs": list(self.pairs(row)), "opts": self.model._meta})

    def shown(self) -> list[models.Field[Any, Any]]:
        return [each for each in self.model._meta.fields if each.name not in self.hidden and _may_be_read(each)]

    def pairs(self, row: Any) -> Iterator[tuple[str, str]]:
        for field in self.shown():
            yield field.name, _plain(field, row)

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """What is filtered, as CSV, row by row; who took it stands in the log."""
        if not self.has_view_permission(request):
            return guard.refused(request)
        try:
            rows = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            return guard.not_found(request)
        name = f"{self.model._meta.app_label}.{self.model._meta.model_name}"
        operations.noted(guard.asker(request), "export", f"{name} {request.GET.urlencode()}".strip(), wall_ms())
        answer = StreamingHttpResponse(self._lines(rows), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
        return answer

    def _lines(self, rows: QuerySet[Any]) -> Iterator[str]:
        writer = csv.writer(_Echo())
        columns = self.shown()
        yield writer.writerow([field.name for field in columns])
        for row in rows.iterator(chunk_size=500):
            yield writer.writerow([_harmless(_plain(field, row)) for field in columns])


class _Echo:
    def write(self, line: str) -> str:
        return line


def _harmless(text: str) -> str:
    """No program of tables takes it for a formula."""
    return f"'{text}" if text.startswith(FORMULA) and not text.lstrip("-").isdigit() else text


def _may_be_read(field: models.Field[Any, Any]) -> bool:
    return not isinstance(field, models.BinaryField) or field.name in SHOWN_AS_HEX


def _plain(field: models.Field[Any, Any], row: Any) -> str:
    value = getattr(row, field.attname)
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if field.name.endswith("_ms") and value:
        return datetime.fromtimestamp(value / 1000, UTC).isoformat(timespec="milliseconds")
    return "" if value is None else str(value)


class Office(AdminSite):
    """Only lists: no index, no sign-in and no password of the admin's own."""

    def get_urls(self) -> list[URLResolver | URLPattern]:
        found: list[URLResolver | URLPattern] = []
        for model, each in self._registry.items():
            found.append(path(f"{model._meta.app_label}/{model._meta.model_name}/", include(each.get_urls())))
        return found

    def has_permission(self, request: HttpRequest) -> bool:
        return guard.staff_of(request) is not None

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return redirect("office:enter")

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        return guard.staff_only()(view)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return {"has_permission": True, "is_popup": False, "is_nav_sidebar_enabled": False, "available_apps": []}

    def lists_for(self, request: HttpRequest) -> list[tuple[str, str]]:
        """Name of the address, and title, of what this person may read."""
        return [
            (
                f"lists:{model._meta.app_label}_{model._meta.model_name}_changelist",
                getattr(each, "title", "") or str(model._meta.verbose_name_plural),
            )
            for model, each in self._registry.items()
            if each.has_view_permission(request)
        ]


office = Office(name="lists")


def listed(model: type[models.Model], title: Any, columns: tuple[Any, ...], **more: Any) -> None:
    """Adds a list; `more` are attributes of Django's ModelAdmin."""
    made = type(f"{model.__name__}List", (ReadOnly,), {"title": title, "list_display": columns, **more})
    office.register(model, made)


listed(
    Round,
    gettext_lazy("Rounds"),
    (
        "lane",
        "round",
        "phase",
        amount("pot_cents", gettext_lazy("pot")),
        "items",
        "players",
        time_of("closed_ms", gettext_lazy("closed")),
    ),
    list_filter=("room", "phase", when("sealed_ms")),
    search_fields=("lane", "=round"),
    hidden=("outcome", "winners"),
)
listed(
    Bet,
    gettext_lazy("Bets"),
    (
        "bet_id",
        "lane",
        "round",
        "player_id",
        "state",
        "code",
        amount("seen_cents", gettext_lazy("worth")),
        time_of("created_ms", gettext_lazy("time")),
    ),
    list_filter=("state", when("created_ms")),
    search_fields=("bet_id", "lane"),
    hidden=("token", "receipt"),
)
listed(
    LaneEvent,
    gettext_lazy("Events of rounds"),
    ("lane", "round", "number", "kind", time_of("at_ms", gettext_lazy("time"))),
    list_filter=("kind", when("at_ms")),
    search_fields=("lane", "=round"),
    hidden=("token",),
)
listed(
    Lane,
    gettext_lazy("Lanes"),
    ("name", "room", "state", "round", "waits_for", "driver"),
    list_filter=("state",),
    ordering=("name",),
)
listed(
    RoomVersion,
    gettext_lazy("Versions of rules"),
    ("room", "version", "state", "drafted_by", "approved_by", time_of("made_ms", gettext_lazy("time"))),
    list_filter=("room", "state"),
)
listed(
    Order,
    gettext_lazy("Orders about rounds"),
    ("kind", "lane", "round", "state", "proposed_by", "agreed_by"),
    list_filter=("kind", "state"),
)
listed(Guarantee, gettext_lazy("Guarantees"), ("room", "lane", "round", "state", "set_aside_by"), list_filter=("room", "state"))
listed(
    Call,
    gettext_lazy("Calls to the fleet"),
    ("kind", "ref", "state", "code", "tries", time_of("made_ms", gettext_lazy("time"))),
    list_filter=("kind", "state", when("made_ms")),
    search_fields=("ref", "lane"),
    seen_by=roles.ALL - {roles.LOOK},
)
listed(
    Alarm,
    gettext_lazy("Alarms"),
    ("kind", "about", time_of("at_ms", gettext_lazy("since")), time_of("ended_ms", gettext_lazy("ended"))),
    list_filter=("kind", when("at_ms")),
)
listed(
    CustodyCheck,
    gettext_lazy("Looks at custody"),
    (time_of("at_ms", gettext_lazy("time")), "items_in_rounds", "items_bound", "locks", "count"),
    list_filter=(when("at_ms"),),
)
listed(
    Player,
    gettext_lazy("Players"),
    ("id", "name", "steam_id", "steam_level", "blocked_why", time_of("registered_ms", gettext_lazy("since"))),
    list_filter=(when("registered_ms"),),
    search_fields=("name", "=steam_id"),
    seen_by=roles.PERSONAL,
    hidden=("avatar", "code"),
)
listed(
    PlayLog,
    gettext_lazy("Stakes and returns"),
    ("player_id", "kind", "currency", amount("cents", gettext_lazy("amount")), time_of("time_ms", gettext_lazy("time"))),
    list_filter=("kind", "currency", when("time_ms")),
    search_fields=("=player__id",),
    seen_by=roles.PERSONAL,
)
listed(
    PlayDecision,
    gettext_lazy("Answers of the gate"),
    ("player_id", "number"),
    search_fields=("=player__id",),
    seen_by=roles.PERSONAL,
)
listed(
    Account,
    gettext_lazy("Accounts of coins"),
    ("owner", "kind", amount("balance_cents", gettext_lazy("holds"))),
    list_filter=("kind",),
    search_fields=("owner",),
    seen_by=roles.PERSONAL,
)
listed(
    Entry,
    gettext_lazy("Entries of the ledger"),
    ("ref", "kind", "who", "memo", time_of("at_ms", gettext_lazy("time"))),
    list_filter=("kind", when("at_ms")),
    search_fields=("ref", "who"),
    seen_by=roles.PERSONAL,
)
listed(
    Posting,
    gettext_lazy("Postings"),
    ("entry", "line", "account", amount("cents", gettext_lazy("amount"))),
    search_fields=("account__owner", "entry__ref"),
    list_select_related=True,
    seen_by=roles.PERSONAL,
)
listed(Template, gettext_lazy("Kinds of raffles"), ("id", "active", "switched_by", "switched_why"), list_filter=("active",))
listed(
    TemplateVersion,
    gettext_lazy("Versions of raffles"),
    ("template_id", "version", "prize", "state", "drafted_by", "approved_by"),
    list_filter=("state",),
)
listed(
    Proposal,
    gettext_lazy("Proposals"),
    ("operation", "target", "state", "by", "decided_by", time_of("at_ms", gettext_lazy("time"))),
    list_filter=("state", "operation", when("at_ms")),
    hidden=("args",),
)
listed(
    Text,
    gettext_lazy("Versions of texts"),
    ("name", "version", "written_by", "approved_by", time_of("at_ms", gettext_lazy("time"))),
    list_filter=("name",),
)
listed(
    Line,
    gettext_lazy("Staff log"),
    ("number", "staff", "operation", "target", time_of("at_ms", gettext_lazy("time"))),
    list_filter=("operation", when("at_ms")),
    search_fields=("target",),
    ordering=("-number",),
    seen_by=roles.ALL - {roles.LOOK},
)


class _TypedNumbers(ReadOnly):
    """Never those that wait: who has not typed yet must not read what the other has seen."""

    title = gettext_lazy("Typed numbers")
    list_display = ("lane", "round", "number", "digits", "operator", "state")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).exclude(state=TypedNumber.WAITING)


office.register(TypedNumber, _TypedNumbers)


@guard.staff_only()
def lists(request: HttpRequest) -> HttpResponseBase:
    return render(request, "office/lists.html", {"lists": office.lists_for(request), "title": _("Lists")})
