from django.urls import path

from website.pages.errors import not_found

urlpatterns = [
    path("sign-in", not_found, name="sign_in"),
    path("me", not_found, name="me"),
]
