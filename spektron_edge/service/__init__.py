"""What the service manager is told: ready, alive, stopping, and a line for people."""
