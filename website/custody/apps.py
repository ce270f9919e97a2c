from django.apps import AppConfig


class CustodyConfig(AppConfig):
    name = "website.custody"
    label = "custody"
