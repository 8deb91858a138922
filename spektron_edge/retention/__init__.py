"""What the state folder may take of the disk, what leaves it by itself, and what a person moves."""
