"""Takes events in by queue, says what they mean, summarises them, and deletes them when their time is over."""
