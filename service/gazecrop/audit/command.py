"""gazecrop audit: fairness and stability of the crops, and the effect of a change of network or settings.

  pairs SRC           people of two groups joined in one picture: which group do point, attention and crops favour?
  gaze SRC            one person alone: is the point on the head, on the body, or beside the person?
  detection SRC       one person alone: is the face found, and that of every group as often?
  changes SRC         a portrait beside a changed copy; text or a sign beside a face; seated and standing people
  people SRC          all four in one report
  crowd DIR           several people in one photograph: who gets the attention? Needs no labels
  fetch-wikicelb DIR  downloads pictures of people from Wikidata, with the labels recorded there
  stability DIR       how far crops move when a picture is halved, recompressed, mirrored, bordered
  compare DIR         which crops differ, and by how much, between two networks, precisions or policies
  lock DIR            writes the boxes of all pictures to a file
  check DIR           fails if crops have moved since `lock`

SRC: a CSV (columns file, who, set, face_x, face_y, face_w, face_h; every other column is a label) or a WebDataset tar.
Each study writes report.html, one self-contained file, and report.json to its folder: gazecrop-audit/NAME, or --out.
Saliency maps are cached: the same command resumes a stopped run.
"""

import importlib
import sys
from collections.abc import Sequence

COMMANDS = {
    "pairs": "people",
    "gaze": "people",
    "detection": "people",
    "changes": "people",
    "people": "people",
    "crowd": "crowd",
    "fetch-wikicelb": "fetch_wikicelb",
    "stability": "stability",
    "compare": "compare",
    "lock": "lock",
    "check": "check",
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
