"""What the studies found, as HTML, SVG and Markdown. Plain data in, text out."""
