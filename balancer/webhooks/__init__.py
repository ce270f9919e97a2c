"""Events that are sent to addresses of the site's: targets, what each has been sent, and the sending itself."""
