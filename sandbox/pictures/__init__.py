"""Pictures of items, drawn by the sandbox itself: an SVG by the kind of thing, coloured by its finish and its rarity."""
