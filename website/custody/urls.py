from django.urls import path

from website.custody import pictures, swaps, verifying, views

urlpatterns = [
    path("inventory", views.inventory, name="inventory"),
    path("inventory/refresh", views.refresh, name="inventory_refresh"),
    path("deposits", views.deposit, name="deposits"),
    path("deposits/<str:trade_id>/cancel", views.cancel, name="cancel_deposit"),
    path("withdrawals", views.withdraw, name="withdrawals"),
    path("withdrawals/<str:trade_id>/cancel", views.cancel, name="cancel_withdrawal"),
    path("errands/<str:errand_id>", views.errand_page, name="errand"),
    path("trades/<str:trade_id>", views.trade_page, name="trade"),
    path("verify/<path:token>", verifying.verify, name="verify"),
    path("exchange", swaps.exchange, name="exchange"),
    path("exchange/review", swaps.review, name="exchange_review"),
    path("exchanges", swaps.confirm, name="exchanges"),
    path("exchanges/<str:exchange_id>", swaps.made, name="exchange_made"),
    path("pictures/<str:name>", pictures.picture, name="picture"),
    path("avatars/<str:name>", pictures.avatar, name="avatar"),
]
