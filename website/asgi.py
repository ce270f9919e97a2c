"""What a server of ASGI runs: `uvicorn website.asgi:application`."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "website.settings.dev")
pages = get_asgi_application()

from channels.routing import ProtocolTypeRouter  # noqa: E402 - Django is set up now
from django.conf import settings  # noqa: E402

from website.live.consumer import Live  # noqa: E402

in_the_office = settings.ROOT_URLCONF == "website.office.urls"
application = pages if in_the_office else ProtocolTypeRouter({"http": pages, "websocket": Live.as_asgi()})
