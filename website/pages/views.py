"""What every page has at its head, and what machines ask."""

from __future__ import annotations

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from website.pages import calm

YEAR_S = 365 * 86_400


def local(address: str) -> str:
    """An address of this site, or the lobby: nobody is led elsewhere by a form."""
    good = address.startswith("/") and url_has_allowed_host_and_scheme(address, allowed_hosts=None)
    return address if good else "/"


@require_POST
def switch_calm(request: HttpRequest) -> HttpResponseBase:
    response = redirect(local(request.POST.get("next", "/")))
    calm.switch(request, response)
    return response


@require_POST
def set_language(request: HttpRequest) -> HttpResponseBase:
    response = redirect(local(request.POST.get("next", "/")))
    chosen = request.POST.get("language", "")
    if chosen in dict(settings.LANGUAGES):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME, chosen, max_age=YEAR_S, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE
        )
    return response


@require_GET
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers; it asks nobody else."""
    return JsonResponse({"status": "ok"})


@require_GET
def readyz(request: HttpRequest) -> HttpResponse:
    """Whether pages can be made: the database answers. The fleet may be away; pages say so themselves."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return JsonResponse({"ready": False, "database": type(error).__name__}, status=503)
    return JsonResponse({"ready": True, "database": "ok"})
