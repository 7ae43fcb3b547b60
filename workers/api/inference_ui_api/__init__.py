"""The API worker of Inference UI."""
