"""The chaos run: a whole fleet of real processes, a hand that hurts it by a seed, and the audit of what is left."""
