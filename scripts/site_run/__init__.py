"""`scripts/site`: a whole site with its fleet on this machine, played by simulated people and audited at the end."""
