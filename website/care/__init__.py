"""Responsible play: what a player has staked and got back, and the gate that every bet passes (`lottery.responsible_play`)."""
