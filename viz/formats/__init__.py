"""How a figure is written down: DOT, SVG, TikZ, Mermaid, the page."""
