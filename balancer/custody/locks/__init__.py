"""Locks: rows of a user, or of the house, that are bound to a game, so that nobody withdraws them or plays them twice.

A lock never runs out by itself: one that ended in the middle of a round would be worse than one that stays. It ends when its
client releases it or hands its rows over (`balancer.custody.transfers`), or by an operator's word. A row under a held lock can
always be handed over: a freeze, a reversal, a blocked user, a pause change nothing about that.

Rows are locked in the order of their ids, after the lock's own row, so that calls at the same time wait for each other.
"""
