"""The map of a replayed step's memory."""
