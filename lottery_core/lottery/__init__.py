"""Provably fair rounds over items: rooms, bets, draws, rake, referral and raffles.

Everything in here is a function of its arguments: time, secrets and entropy come in as values. Money is integer cents,
a chance is an exact fraction, a ticket is an integer counted from 0.
"""

__version__ = "0.1.0"
