"""Whether infrared and Raman together gain most where a centre of inversion parts what they see."""
