from django.apps import AppConfig


class RoomsConfig(AppConfig):
    name = "website.rooms"
    label = "rooms"
