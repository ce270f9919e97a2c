"""All that we ask of Steam. Nothing outside of this package imports steampy or steam."""
