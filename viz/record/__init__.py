"""What a computation is: the graph that was traced, folded, checked and named; nothing of how it looks."""
