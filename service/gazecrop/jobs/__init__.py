"""Jobs of `gazecrop work`: what one holds, those of a bucket's events, and the Redis stream in which they wait."""
