"""What drives rounds: the writer of each lane, its timers, the calls to the fleet, the beacon. No page is made here."""
