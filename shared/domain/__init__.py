"""Words and rules of the trade: pure, standard library only."""
