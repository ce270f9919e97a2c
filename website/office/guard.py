"""Who comes in: pages of the office are for staff with a role, and each says for which. Errors look like the office."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.csrf import requires_csrf_token

from website.office import roles
from website.office.log import Asker
from website.office.models import Staff


def staff_of(request: HttpRequest) -> Staff | None:
    """Who is signed in, as long as they are one of the staff and have a role."""
    user = request.user
    return user if isinstance(user, Staff) and user.is_active and user.role_set else None


def asker(request: HttpRequest) -> Asker:
    """Who asks, for the log. Only behind `staff_only`."""
    person = staff_of(request)
    if person is None:
        raise AssertionError("nobody is signed in here")
    return Asker(person, str(request.META.get("REMOTE_ADDR", "")), uuid.uuid4().hex[:16])


def staff_only(*names: str) -> Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """A page for those who have one of these roles (any, if none is named). Others are led to the door, or told so."""
    wanted = frozenset(names) or roles.ALL

    def decorate(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def guarded(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponseBase:
            person = staff_of(request)
            if person is None:
                back = request.get_full_path() if request.method == "GET" else reverse("office:start")
                return redirect(f"{reverse('office:enter')}?{urlencode({'next': back})}")
            if not wanted & person.role_set:
                return refused(request)
            return view(request, *arguments, **named)

        guarded.roles = wanted  # type: ignore[attr-defined]
        return guarded

    return decorate


def refused(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _say(request, 403, _("Your roles do not let you do this."))


@requires_csrf_token
def form_refused(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _say(request, 403, _("This form was open for too long, or is not ours. Load the page again."))


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _say(request, 404, _("There is no such page."))


def broken(request: HttpRequest) -> HttpResponse:
    return _say(request, 500, _("Something went wrong. It stands in the log of the process."))


def _say(request: HttpRequest, status: int, text: str) -> HttpResponse:
    return render(request, "office/error.html", {"said": text}, status=status)
