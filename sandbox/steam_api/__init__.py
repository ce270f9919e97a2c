"""Answers to requests at Steam's addresses, one module per group; handlers are plain functions Call -> Answer."""
