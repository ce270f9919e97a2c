from django.urls import path

from website.pages.errors import not_found

urlpatterns = [
    path("inventory", not_found, name="inventory"),
    path("exchange", not_found, name="exchange"),
    path("pictures/<str:name>", not_found, name="picture"),
]
