"""Real processes at a Redis that knows them by name and password."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import redis

from bot_worker.vault import Vault
from scripts.cli.redis_acl import BALANCER, OPERATOR, host_user
from scripts.lab.redis_server import EmbeddedRedis, dotted, redis_version
from scripts.lab.stack import Stack, Wish
from shared import settings as settings_module
from shared import wire

CONFIG = Path(__file__).parents[2] / "config" / "redis" / "redis.conf"


class GuardedRedis(EmbeddedRedis):
    """A server with the committed settings and the access list in a folder that `fleet redis acl` wrote."""

    def __init__(self, directory: Path, users: Path) -> None:
        super().__init__(directory)
        self.users = users

    def command(self) -> list[str]:
        binary, *options = super().command()
        return [binary, str(CONFIG), *options, "--aclfile", str(self.users / "users.acl")]

    def url_of(self, user: str) -> str:
        password = (self.users / f"{user}.password").read_text().strip()
        return f"unix://{user}:{password}@{quote(str(self.socket_path))}?db=0"

    def client(self, user: str = OPERATOR) -> redis.Redis:
        return wire.connect(self.url_of(user))

    def answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


class GuardedStack(Stack):
    """Each part's settings name its own Redis user; nobody but the tests uses the operator's."""

    redis: GuardedRedis

    def __init__(self, wish: Wish, proxy: str) -> None:
        super().__init__(wish)
        self.users = wish.directory / "users"
        self.proxy = proxy

    def _start_redis(self) -> None:
        groups = [argument for group in self.wish.groups for argument in ("--group", group)]
        self.config.touch()
        self.redis = GuardedRedis(self.wish.directory / "redis", self.users)
        _, version = redis_version(self.redis.binary)
        self.fleet("redis", "acl", str(self.users), *groups, "--for", dotted(version))
        self.redis.start()
        self.redis_url = self.redis.url_of(OPERATOR)

    def host_redis_url(self, group: str) -> str:
        return self.redis.url_of(host_user(group))

    def _write_settings(self) -> None:
        super()._write_settings()
        text = self.config.read_text()
        assert self.redis_url in text
        self.config.write_text(text.replace(self.redis_url, self.redis.url_of(BALANCER)))

    def _prepare_keys(self) -> None:
        """The first bot goes out through a proxy that wants a password."""
        super()._prepare_keys()
        vault = self.vault(self.wish.groups[0])
        vault.put([replace(vault.account(self.wish.bot_names()[0]), proxy=self.proxy)])

    def vault(self, group: str) -> Vault:
        return Vault.open(settings_module.load(self.host_config(group)).group)
