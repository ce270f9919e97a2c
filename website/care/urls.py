from django.urls import path

from website.pages.errors import not_found

urlpatterns = [
    path("me/limits", not_found, name="limits"),
]
