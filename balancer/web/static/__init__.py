"""Files for browsers; a package so that they are installed along."""
