"""What the loop needs from outside, one file for each port; adapters carry the port's name."""
