"""What no view has refused and PostgreSQL cannot store, U+0000 in an address or a form, is the sender's mistake, not ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.db import DataError
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, QueryDict

NUL = "\0"


class NoNul:
    """400 in the place of an error of the server. The transaction has ended before; nothing of it is kept."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        sent = NUL in request.path_info or _in(request.GET) or _in(request.POST)
        if not (sent and isinstance(error, DataError)):
            return None
        return HttpResponseBadRequest("There is a zero sign (U+0000) in what was sent.", content_type="text/plain")


def _in(form: QueryDict) -> bool:
    return any(NUL in name or any(NUL in value for value in values) for name, values in form.lists())
