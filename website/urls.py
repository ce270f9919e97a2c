"""The addresses of the site: each noun has its own list, and all names are in one place to be found."""

from django.urls import include, path

urlpatterns = [
    path("", include("website.rooms.urls")),
    path("", include("website.accounts.urls")),
    path("", include("website.care.urls")),
    path("", include("website.custody.urls")),
    path("", include("website.raffles.urls")),
    path("", include("website.live.urls")),
    path("", include("website.pages.urls")),
]
handler403 = "website.pages.errors.refused"
handler404 = "website.pages.errors.not_found"
handler500 = "website.pages.errors.broken"
