"""Pages of rooms."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET


@require_GET
def lobby(request: HttpRequest) -> HttpResponse:
    """Every room at one look."""
    return render(request, "rooms/lobby.html", {"section": "rooms"})
