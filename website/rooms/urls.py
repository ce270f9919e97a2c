from django.urls import path, register_converter
from django.views.generic.base import RedirectView

from website.rooms import api, views


class Number:
    """A number of a round: from 1, as far as records go."""

    regex = "[1-9][0-9]{0,14}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


class Name:
    """A name of a room or a lane."""

    regex = "[a-z0-9-]{1,64}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(Number, "round_number")
register_converter(Name, "lane_name")

ROUND = "rooms/<lane_name:room>/<lane_name:lane>/<round_number:number>"

urlpatterns = [
    path("", views.lobby, name="lobby"),
    path("rooms", RedirectView.as_view(pattern_name="lobby")),
    path("rooms/<lane_name:room>", views.room, name="room"),
    path("rooms/<lane_name:room>/choose", views.choose, name="choose"),
    path(ROUND, views.round_page, name="round"),
    path(f"{ROUND}/record.json", views.record, name="record"),
    path(f"{ROUND}/events.json", views.events, name="events"),
    path("bets", views.place_bet, name="place_bet"),
    path("bets/<slug:bet_id>", views.bet, name="bet"),
    path("bets/<slug:bet_id>/receipt.json", views.receipt, name="receipt"),
    path("bets/<slug:bet_id>/signed-receipt.json", views.signed_receipt, name="signed_receipt"),
    path("fairness/receipt-key", views.receipt_key, name="receipt_key"),
    path("api/v1/rooms", api.rooms),
    path("api/v1/rooms/<lane_name:room>", api.room),
    path("api/v1/rooms/<lane_name:room>/odds", api.room_odds, name="room_odds"),
    path("api/v1/rounds/<lane_name:lane>/<round_number:number>", api.round_of),
    path("api/v1/closes", api.closes),
    path("api/v1/bets", api.bets),
]
