from django.urls import path

from website.raffles import views
from website.rooms import urls as rooms  # the converters of lanes and numbers

assert rooms.ROUND
RAFFLE = "raffles/<round_number:template_id>/<lane_name:lane>/<round_number:number>"

urlpatterns = [
    path("raffles", views.raffles, name="raffles"),
    path(RAFFLE, views.raffle, name="raffle"),
    path(f"{RAFFLE}/inspect", views.inspect, name="inspect_prize"),
    path("raffles/<lane_name:lane>/<round_number:number>/buy", views.buy, name="buy"),
    path("purchases/<slug:purchase_id>", views.purchase, name="purchase"),
    path("purchases/<slug:purchase_id>/receipt.json", views.receipt, name="purchase_receipt"),
    path("me/coins", views.coins_page, name="coins"),
    path("coins/daily", views.daily, name="coins_daily"),
    path("coins/welcome", views.welcome, name="coins_welcome"),
    path("prizes/<int:prize_id>/reveal", views.reveal, name="reveal"),
    path("prizes/<int:prize_id>/confirm", views.confirm, name="confirm_prize"),
]
