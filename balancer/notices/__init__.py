"""Alarms to people, by mail, Telegram, Discord or what else they read."""
