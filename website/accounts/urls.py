from django.urls import path

from website.accounts import views
from website.pages.errors import not_found

urlpatterns = [
    path("sign-in", views.signing_in, name="sign_in"),
    path("sign-in/return", views.signed_in, name="sign_in_return"),
    path("sign-out", views.sign_out, name="sign_out"),
    path("sign-out/everywhere", views.sign_out_everywhere, name="sign_out_everywhere"),
    path("r/<str:code>", views.invited, name="invitation"),
    path("me", not_found, name="me"),
]
