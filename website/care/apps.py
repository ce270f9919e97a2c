from django.apps import AppConfig


class CareConfig(AppConfig):
    name = "website.care"
    label = "care"
