"""What a server of ASGI runs: `uvicorn website.asgi:application`."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "website.settings.dev")
application = get_asgi_application()
