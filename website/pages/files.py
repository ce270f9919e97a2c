"""Static files. WhiteNoise would hold a thread for as long as a page waits for something, so pages go past it."""

from __future__ import annotations

from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest
from whitenoise.middleware import WhiteNoiseMiddleware


class StaticFiles(WhiteNoiseMiddleware):  # type: ignore[misc]
    """WhiteNoise for both worlds; in the asynchronous one it sees only what may be a file."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        return self._waiting(request) if iscoroutinefunction(self) else super().__call__(request)

    async def _waiting(self, request: HttpRequest) -> Any:
        if request.path_info.startswith(self.static_prefix):
            found = await sync_to_async(self._file)(request)
            if found is not None:
                return found
        return await self.get_response(request)

    def _file(self, request: HttpRequest) -> Any:
        path = request.path_info
        found = self.find_file(path) if self.autorefresh else self.files.get(path)
        return None if found is None else self.serve(found, request)
