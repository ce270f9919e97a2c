"""`python -m website.proof` writes the page of one file anew, after a script of the proof has changed."""

from website.proof import PAGE
from website.proof.build import page

PAGE.write_text(page(), encoding="utf-8")
