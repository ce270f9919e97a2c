"""How dates are written: one form in each language, the same on every page. Numbers stay as Django writes them."""
