"""Where maps and people's focal points are kept."""
