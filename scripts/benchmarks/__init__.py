"""Measurements of the fleet against their own baselines in the same run: `scripts/bench`, explained in docs/performance.md.

Nothing here fails because something is slow. Absolute figures drift on shared machines; what counts are the ratios.
"""
