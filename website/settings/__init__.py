"""Django's settings: `base` is common to all, `dev` runs on this machine, `production` refuses to start half set up."""
