"""All that one simulated Steam is at a moment: its world, its clocks, and what its hosts remember beside it."""

from sandbox.beacon import Network
from sandbox.clock import Clock, MovedFile
from sandbox.faults.orders import Faults
from sandbox.provider import Provider
from sandbox.record import Requests
from sandbox.sign_ins import Desk
from sandbox.tokens import Tokens
from sandbox.world.state import World

COMMUNITY = "https://steamcommunity.com"


class Steam:
    """State only; `sandbox.steam_api.router` answers from it. `routes` are the names that orders for trouble may use."""

    def __init__(self, world: World, clock: Clock, routes: frozenset[str]) -> None:
        self.world = world
        self.clock = clock
        self.desk = Desk()
        self.tokens = Tokens(world)
        self.faults = Faults(world.settings.seed, routes)
        self.faults.when_healed.append(self.tokens.revive)
        world.afflicted = self.faults.affliction
        self.requests = Requests()
        self.moved: MovedFile | None = None
        """What moves on together with the world, if anything does."""
        self.used_keys: dict[tuple[int, int, str], None] = {}
        """Times of confirmation keys that were used, oldest first."""
        self.openid = Provider(COMMUNITY)
        self.network = Network(world.settings)
