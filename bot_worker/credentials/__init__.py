"""Bots' credentials: read out of maFiles and CSV files, checked, and put to use.

Every file is checked whole, and each mistake in it is told with the file, the field and what is wanted there, never with the
value, which may be a secret. Nothing is imported unless everything can be.
"""
