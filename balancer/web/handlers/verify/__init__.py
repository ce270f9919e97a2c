"""`/verify`: the player's pages and the sign-in on the way there, and the check, of which the first yes uses a token up."""
