"""The HTTP interface: protocol limits, bodies, API keys, caching, problem documents, routes."""
