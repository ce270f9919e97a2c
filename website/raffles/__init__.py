"""Raffles: what is raffled off, again and again."""
