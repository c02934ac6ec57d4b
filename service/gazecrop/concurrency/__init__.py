"""How much work runs at once, and in which order. Independent of pictures."""
