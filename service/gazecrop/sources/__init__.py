"""Pictures by URL: which URLs are fetched, from which addresses, under which limits. `fetch.Sources` is its entry."""
