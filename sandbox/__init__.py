"""A simulated Steam: accounts, inventories, trade offers, confirmations and a clock that can be moved.

It answers at Steam's own addresses, chosen by the `Host` header, so a Steam client only needs its transport
pointed here. Nothing of the product is imported: the simulation must not share its mistakes.
"""
