"""Those who run the site. The back office itself comes later; its accounts are here from the first migration."""
