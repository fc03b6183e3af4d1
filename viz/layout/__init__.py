"""Where everything stands: columns, lines, labels' places, and a checker of what comes too near."""
