"""What this machine does: the way of a clip to the device timed stage by stage."""
