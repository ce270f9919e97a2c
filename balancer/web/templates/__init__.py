"""Pages for people; a package so that they are installed along."""
