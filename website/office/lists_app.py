"""Django's admin, of which the office has the lists: without the admin's own pages, which edit rows past every rule."""

from django.apps import AppConfig


class Lists(AppConfig):
    name = "django.contrib.admin"
    label = "admin"
    default_auto_field = "django.db.models.AutoField"
    verbose_name = "lists"
