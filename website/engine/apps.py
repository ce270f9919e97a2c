from django.apps import AppConfig


class EngineConfig(AppConfig):
    name = "website.engine"
    label = "engine"
