"""Rooms: their rules by version, the lanes on which their rounds run, bets, and what pages read of a round."""
