from django.urls import path

from website.care import views

urlpatterns = [
    path("me/declaration", views.declaration, name="declaration"),
    path("me/limits", views.limits_page, name="limits"),
    path("me/limits/confirm", views.confirm_limit, name="confirm_limit"),
    path("me/limits/<str:kind>/<str:window>", views.set_limit, name="set_limit"),
    path("me/time-out", views.time_out, name="time_out"),
    path("me/exclude", views.exclude, name="exclude"),
    path("me/reality", views.reality, name="reality"),
    path("me/play", views.own_play, name="play"),
    path("me/play.csv", views.play_csv, name="play_csv"),
]
