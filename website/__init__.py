"""The website: rooms that people play in. It reaches the fleet over HTTP only, and every round is a fold of its events."""
