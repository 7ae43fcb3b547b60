"""Loads workers as isolates and runs their events."""
