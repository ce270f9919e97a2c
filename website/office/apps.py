from django.apps import AppConfig


class OfficeConfig(AppConfig):
    name = "website.office"
    label = "office"
