"""Coming in and going out: the door, the way out, and the first time."""

from __future__ import annotations

from typing import Any

from django.contrib import auth, messages
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from website import limits
from website.engine.clock import wall_ms
from website.office import door, guard, log, operations
from website.office.door import DoorError
from website.office.models import Staff

BACKEND = "django.contrib.auth.backends.ModelBackend"
SALT = "office: a secret that is not taken yet"
SHOWN_S = 1_800


@never_cache
@require_http_methods(["GET", "POST"])
def enter(request: HttpRequest) -> HttpResponseBase:
    after = _inside(request.POST.get("next") or request.GET.get("next") or "")
    if guard.staff_of(request) is not None:
        return redirect(after)
    wrong = ""
    if request.method == "POST":
        name, password, one_time = (request.POST.get(each, "") for each in ("name", "password", "code"))
        try:
            limits.take(limits.SIGN_INS, None, str(request.META.get("REMOTE_ADDR", "")))
            _signed_in(request, door.enter(name, password, one_time, wall_ms()))
            return redirect(after)
        except limits.LimitReachedError:
            wrong = _("Too many tries from here. Wait a minute.")
        except DoorError as error:
            wrong = _locked() if error.code == "locked" else _("The name, the password or the code is wrong.")
    return render(request, "office/enter.html", {"wrong": wrong, "next": after}, status=403 if wrong else 200)


@require_POST
def leave(request: HttpRequest) -> HttpResponseBase:
    auth.logout(request)
    return redirect("office:enter")


@never_cache
@require_http_methods(["GET", "POST"])
def join(request: HttpRequest, word: str) -> HttpResponseBase:
    """The first time: a password, and an app for one-time codes that has shown one."""
    now_ms = wall_ms()
    try:
        person = door.invited(word, now_ms)
    except DoorError:
        return _said(request, _("This link was used, or is older than three days. Ask for another one."), 404)
    if request.method != "POST":
        return _joining(request, person, door.new_secret())
    try:
        limits.take(limits.SIGN_INS, None, str(request.META.get("REMOTE_ADDR", "")))
        secret = signing.loads(request.POST.get("secret", ""), salt=f"{SALT} {word}", max_age=SHOWN_S)
    except signing.BadSignature:
        return _joining(request, person, door.new_secret(), _("This page was open for too long. Take the new secret."))
    except limits.LimitReachedError:
        return _said(request, _("Too many tries from here. Wait a minute."), 429)
    try:
        person = door.join(word, request.POST.get("password", ""), secret, request.POST.get("code", ""), now_ms)
    except DoorError as error:
        wrong = str(error) if error.code == "password" else _("The code is not of this secret.")
        return _joining(request, person, secret, wrong)
    _signed_in(request, person)
    operations.noted(log.Asker(person), "joined", person.username, now_ms)
    messages.success(request, _("Welcome. Next time: your name, this password, and a code of your app."))
    return redirect("office:start")


def _joining(request: HttpRequest, person: Staff, secret: str, wrong: str = "") -> HttpResponse:
    word = request.resolver_match.kwargs["word"] if request.resolver_match else ""
    groups = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    known: dict[str, Any] = {"person": person, "groups": groups, "app": door.address_of(person, secret), "wrong": wrong}
    known["sealed"] = signing.dumps(secret, salt=f"{SALT} {word}")
    return render(request, "office/join.html", known, status=422 if wrong else 200)


def _signed_in(request: HttpRequest, person: Staff) -> None:
    auth.login(request, person, backend=BACKEND)


def _inside(address: str) -> str:
    """A page of the office; nobody is led elsewhere by a form."""
    start = reverse("office:start")
    return (
        address
        if address == start or (address.startswith(f"{start}/") and "//" not in address and "\\" not in address)
        else start
    )


def _locked() -> str:
    return _("Too many wrong tries: this account is locked for a quarter of an hour.")


def _said(request: HttpRequest, text: str, status: int) -> HttpResponse:
    return render(request, "office/error.html", {"said": text}, status=status)
