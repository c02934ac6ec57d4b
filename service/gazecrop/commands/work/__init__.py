"""`gazecrop work`: consumers of Redis streams (queue, consumer), the work on a picture (pictures), its results beside
objects (sidecars) and at a webhook (webhooks)."""
