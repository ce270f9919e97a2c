"""`manage.py receipts check FILE`: whether a receipt is of this site, and as it was given out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from website.rooms import receipts


class Command(BaseCommand):
    help = "Check receipts that players hold. Needs no database."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=["check"])
        parser.add_argument("file", type=Path)
        parser.add_argument("--key", help="the public key in hex, as /fairness/receipt-key has it; without: this site's own")
        parser.add_argument("--inner", type=Path, help="write what `lottery verify --receipt` takes to this file")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["key"] is None and not receipts.signs():
            raise CommandError("this site has no key (SITE_RECEIPT_KEY_FILE); name the public one with --key")
        try:
            inside = receipts.check(options["file"].read_bytes(), options["key"] or receipts.public_key())
        except (OSError, receipts.ReceiptError) as error:
            raise CommandError(str(error)) from error
        if options["inner"]:
            options["inner"].write_text(json.dumps(inside), encoding="utf-8")
        self.stdout.write(f"good: bet {inside['bet']} of round {inside['round']} of {inside['room']}, as it was given out")
