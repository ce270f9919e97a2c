"""`python -m website.proof` writes the page of one file anew, after a script of the proof has changed; with a name of a file it
writes the checking program there, as the site serves it.
"""

import sys
from pathlib import Path

from website.proof import PAGE
from website.proof.build import page
from website.proof.program import program

if sys.argv[1:]:
    Path(sys.argv[1]).write_bytes(program())
else:
    PAGE.write_text(page(), encoding="utf-8")
