"""Templates of the operators' page."""
