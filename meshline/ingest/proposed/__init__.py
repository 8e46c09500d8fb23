"""What is proposed: files and sentences -> a thing before and after, for the gate to compare. Nothing here writes."""
