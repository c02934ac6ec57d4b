"""The results of the studies as HTML, SVG, JSON and Markdown."""
