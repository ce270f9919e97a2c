from django.apps import AppConfig


class RafflesConfig(AppConfig):
    name = "website.raffles"
    label = "raffles"
