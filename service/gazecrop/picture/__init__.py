"""Reading picture files (headers, pixels, colours) and rendering crops, heat maps and explanations. Pure."""
