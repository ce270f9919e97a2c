"""Kinds of items get the picture and the colour that the fleet has for one of them, and keep them."""

from __future__ import annotations

from fleet_client.answers import CatalogueItem
from website.engine import looks
from website.rooms.models import Kind, Piece


def item(name: str, icon_url: str, color: str) -> CatalogueItem:
    return CatalogueItem(
        item_id=f"itm_{name}",
        market_hash_name=name,
        value_cents=1,
        value_source=None,
        valued_at=None,
        type="Rifle",
        color=color,
        name_color=color,
        icon_url=icon_url,
        icon_url_large=icon_url,
    )


def test_what_is_missing_is_filled_in_and_nothing_is_emptied(one_database: str) -> None:
    Kind.objects.create(item_id="itm_new", market_hash_name="new")
    Kind.objects.create(item_id="itm_half", market_hash_name="half", icon_url="https://x/half")
    Kind.objects.create(item_id="itm_known", market_hash_name="known", icon_url="https://x/known", color="d32ce6")
    Kind.objects.create(item_id="prize 1 1", market_hash_name="a game that the site gives itself")
    for kind in Kind.objects.all():
        for number in (1, 2):
            Piece.objects.create(deposit_id=f"dep_{kind.item_id}_{number}", kind=kind)
    asked = {"itm_new": "dep_itm_new_2", "itm_half": "dep_itm_half_2"}
    assert looks.missing() == asked, "one item of each kind; tickets, which have no look, are not asked for"
    looks.keep([item("new", "https://x/new", "4b69ff"), item("half", "", "8847ff"), item("stranger", "https://x/s", "4b69ff")])
    found = dict(Kind.objects.filter(item_id__in=["itm_new", "itm_half"]).values_list("icon_url", "color"))
    assert found == {"https://x/new": "4b69ff", "https://x/half": "8847ff"}
    assert looks.missing() == {}
