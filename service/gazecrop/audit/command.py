"""gazecrop audit: whom the crops favour, how steady they are, and what a switch would move.

  pairs SRC        people of two groups joined in one picture: whom do the point, the attention, the crops favour?
  gaze SRC         one person alone: does the point fall on the head, the body, or beside?
  changes SRC      the same person twice, once changed; a sign or text beside a face; seated and standing
  people SRC       all three in one report
  crowd DIR        several people in one photograph: who gets the attention? No labels needed
  fetch-wikicelb   loads people of Wikidata with the labels that Wikidata records
  stability DIR    how far crops move when a picture is halved, saved anew, mirrored, bordered
  compare DIR      which crops move, and how far, from one network or policy to another
  lock DIR         writes the boxes of all pictures to a file
  check DIR        fails when crops have moved since

SRC: a CSV (file, who, set, face_x, face_y, face_w, face_h; every other column is a label) or a tar as WebDataset has
them. Results go to --out: report.html, which stands alone, and report.json. Maps are kept there, too: the same command
again goes on where it was stopped.
"""

import importlib
import sys
from collections.abc import Sequence

COMMANDS = {
    "pairs": "people",
    "gaze": "people",
    "changes": "people",
    "people": "people",
    "crowd": "crowd",
    "fetch-wikicelb": "fetch_wikicelb",
    "stability": "library",
    "compare": "library",
    "lock": "library",
    "check": "library",
}


def main(argv: Sequence[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(__doc__)
        return 0
    if argv[0] not in COMMANDS:
        print(f"gazecrop audit: {argv[0]!r} is not a command; see gazecrop audit --help", file=sys.stderr)
        return 2
    module = importlib.import_module(f"gazecrop.audit.commands.{COMMANDS[argv[0]]}")
    status: int = module.main(argv[0], argv[1:])
    return status
