"""`manage.py engine`: drives rounds until it is stopped. Any number of them may run."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from website.engine import program
from website.engine.chains import ChainKeyError


class Command(BaseCommand):
    help = "Drives rounds until it is stopped."

    def handle(self, *_arguments: Any, **_options: Any) -> None:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
        logging.getLogger("httpx").setLevel(logging.WARNING)
        try:
            asyncio.run(program.run())
        except (ImproperlyConfigured, ChainKeyError, ValueError) as error:
            raise CommandError(str(error)) from None
