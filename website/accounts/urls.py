from django.urls import path

from website.accounts import me, views

urlpatterns = [
    path("sign-in", views.signing_in, name="sign_in"),
    path("sign-in/return", views.signed_in, name="sign_in_return"),
    path("sign-out", views.sign_out, name="sign_out"),
    path("sign-out/everywhere", views.sign_out_everywhere, name="sign_out_everywhere"),
    path("r/<str:code>", views.invited, name="invitation"),
    path("me", me.profile, name="me"),
    path("me/trade-link", me.trade_link, name="trade_link"),
    path("me/shown", me.shown_to_others, name="shown_to_others"),
    path("me/language", me.language, name="my_language"),
    path("me/sessions/<int:number>/end", me.end_session, name="end_session"),
    path("me/data.json", me.own_data, name="own_data"),
    path("me/erase", me.erase, name="erase"),
    path("me/referral", me.referral, name="referral"),
]
