"""What is said: numbers, labels, sentences."""
