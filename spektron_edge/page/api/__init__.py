"""What the page answers, one module for each part of the instrument."""
