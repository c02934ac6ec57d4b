"""The HTTP edge, one file per resource: parse, call, answer."""
