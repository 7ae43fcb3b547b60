"""The Streams API: readable, writable and transform streams, and what they are made of."""
