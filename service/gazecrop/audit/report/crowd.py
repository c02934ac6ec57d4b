"""The report of the study of crowds."""

from typing import Any

from gazecrop.audit.report.html import Provenance, render
from gazecrop.audit.report.numbers import points, share
from gazecrop.audit.studies.crowd import Crowd


def rows_by_number(crowd: Crowd) -> list[tuple[str, ...]]:
    """Number of people, pictures, shares of faces kept whole by the window and by the centre crop."""
    return [
        (name, str(n), share(window.json()), share(centre.json()))
        for name, (n, window, centre) in crowd.numbers.items()
    ]


def slope_rows(crowd: Crowd) -> list[tuple[str, str]]:
    return [(name, points(slope.json())) for name, slope in crowd.slopes.items()]


def data(crowd: Crowd, network: str, provenance: Provenance) -> dict[str, Any]:
    """For report.json."""
    return {
        **provenance.json(),
        "networks": [network],
        "pictures": crowd.pictures,
        "faces": crowd.faces,
        "on_head": crowd.on_head.json(),
        "kept": {"window": crowd.kept_window.json(), "centre": crowd.kept_centre.json()},
        "slopes": {name: slope.json() for name, slope in crowd.slopes.items()},
        "by_number": {
            name: {"pictures": n, "window": window.json(), "centre": centre.json()}
            for name, (n, window, centre) in crowd.numbers.items()
        },
    }


def html(crowd: Crowd, network: str, provenance: Provenance) -> str:
    return render(
        "crowd.html",
        provenance,
        title="Which of several people gets the attention?",
        lead=f"{crowd.pictures:,} photographs with {crowd.faces:,} faces, analysed by {network}.",
        networks=[network],
        basics=[
            ("the most salient point is on a head", share(crowd.on_head.json())),
            ("faces kept whole by the window", share(crowd.kept_window.json())),
            ("faces kept whole by the centre crop", share(crowd.kept_centre.json())),
        ],
        numbers=rows_by_number(crowd),
        slopes=slope_rows(crowd),
    )
