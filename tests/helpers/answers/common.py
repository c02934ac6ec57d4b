"""What several parts of the corpus use."""

from tests.helpers.answers.recording import Answer

UNKNOWN = "0" * 32
GOOGLE, AZURE = "/v1/images:annotate", "/computervision/imageanalysis:analyze"
RATIOS = (
    "square,portrait,landscape,og,story,phone,tablet,desktop,wide,banner,16:9,1.91:1,1.7778,1:20,20:1,3:2"
)
POLICIES = ("auto", "window", "point", "centre")
CROPPED = ("wide.jpg", "tall.jpg", "panorama.jpg", "flat.png", "symmetric.png", "exif6.jpg", "dot.png")
CONSTRAINTS = (
    "keep=0.1,0.1,0.2,0.2",
    "keep=0.7,0.6,0.3,0.4",
    "keep=0,0,1,1",
    "keep=0,0,0.1,0.1&keep=0.9,0.9,0.1,0.1",
    "avoid=0.4,0.4,0.2,0.2",
    "avoid=0,0,1,1",
    "avoid=0,0,0.3,1",
    "keep=0.6,0.1,0.2,0.3&avoid=0,0.5,0.5,0.5",
    "keep=0.2,0.2,0.3,0.3&avoid=0.3,0.3,0.1,0.1&candidates=3",
    "keep=0.3,0.3,0.1,0.1&zoom=2.5&policy=point",
    "avoid=0.1,0.1,0.3,0.3&zoom=1.5&policy=centre",
)


def header(answer: Answer, name: str) -> str:
    return next((value for key, value in answer.headers if key.lower() == name.lower()), "")
