"""Pages for what does not work: a sentence, and the way on."""

from __future__ import annotations

import sys
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

AWAY_S = "5"


def answer(request: HttpRequest, status: int, title: str, text: str, **more: str) -> HttpResponse:
    """One page for every error; programs get the same as JSON."""
    if "application/json" in request.headers.get("Accept", ""):
        return JsonResponse({"status": status, "title": title, "detail": text, **more}, status=status)
    return render(request, "site/error.html", {"title": title, "text": text, "status": status}, status=status)


def refused(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return answer(request, 403, _("Not for you"), _("This page belongs to somebody else."))


def form_refused(request: HttpRequest, reason: str = "") -> HttpResponse:
    text = _(
        "This form is too old, or did not come from this site. Nothing was done. Load the page again, and send it once more."
    )
    return answer(request, 403, _("Form refused"), text)


def too_often(request: HttpRequest, wait_s: int) -> HttpResponse:
    """Asked faster than anybody may (`website.limits`)."""
    text = ngettext(
        "Nothing was done. Try again in %(count)d second.", "Nothing was done. Try again in %(count)d seconds.", wait_s
    ) % {"count": wait_s}
    return answer(request, 429, _("That was too fast"), text, code="too_often")


def away(request: HttpRequest) -> HttpResponse:
    """The database does not answer: nothing is said to be done that is not written (S10)."""
    text = _("Our database does not answer. Nothing was done. What you had is as it was; try again in some seconds.")
    response = answer(request, 503, _("Away for a moment"), text)
    response.headers["Retry-After"] = AWAY_S
    return response


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return answer(request, 404, _("Nothing is here"), _("This page does not exist, or not any more."))


def broken(request: HttpRequest, *arguments: Any) -> HttpResponse:
    """Needs no database and no player: they may be what is broken. A database that is away is told as that."""
    if isinstance(sys.exception(), (OperationalError, InterfaceError)):
        return away(request)
    text = _("Something failed on our side. What you had is as it was; look at your inventory before you try again.")
    return answer(request, 500, _("That did not work"), text)
