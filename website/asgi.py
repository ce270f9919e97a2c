"""What a server of ASGI runs: `uvicorn website.asgi:application`."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "website.settings.dev")
pages = get_asgi_application()

from channels.routing import ProtocolTypeRouter  # noqa: E402 - Django is set up now

from website.live.consumer import Live  # noqa: E402

application = ProtocolTypeRouter({"http": pages, "websocket": Live.as_asgi()})
