"""What the balancer and the bots agree on."""

__version__ = "0.1.0"
