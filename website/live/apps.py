from django.apps import AppConfig


class LiveConfig(AppConfig):
    name = "website.live"
    label = "live"
