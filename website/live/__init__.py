"""What is told to those who watch: hints over Redis that something is new, and messages to single players."""
