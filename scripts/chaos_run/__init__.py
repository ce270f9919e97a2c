"""The chaos run: a whole fleet of real processes, a nemesis that hurts it by a seed, and the check of what is left."""
