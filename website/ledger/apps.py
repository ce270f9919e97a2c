from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "website.ledger"
    label = "ledger"
