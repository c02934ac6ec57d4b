"""The HTTP interface: protocol limits, bodies, keys, caching, error documents, routes."""
