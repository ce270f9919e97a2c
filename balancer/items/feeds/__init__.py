"""Bulk lists of prices from elsewhere: how each is read, where it is fetched, and what is kept of it."""
