"""The streaming worker of Inference UI."""
