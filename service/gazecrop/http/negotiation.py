"""Content negotiation by `Accept` (RFC 9110, section 12.5.1)."""

_ALIASES = {"image/jpg": "image/jpeg"}  # not registered, but sent by some clients


def quality(accept: str, kind: str, subtype: str) -> float:
    """The q of a media type in an Accept header; the most specific range counts (RFC 9110, section 12.5.1)."""
    best, found = -1, 1.0 if not accept.strip() else 0.0
    for part in accept.split(","):
        media, *parameters = [piece.strip().lower() for piece in part.split(";")]
        media = _ALIASES.get(media, media)
        specific = {f"{kind}/{subtype}": 2, f"{kind}/*": 1, "*/*": 0}.get(media, -1)
        if specific > best:
            best = specific
            weights = [parameter[2:] for parameter in parameters if parameter.startswith("q=")]
            try:
                found = float(weights[0]) if weights else 1.0
            except ValueError:
                found = 1.0
    return found
