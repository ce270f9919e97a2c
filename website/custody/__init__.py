"""Items of players in the fleet's custody, as far as players ask for something: exchanges."""
