"""What operators ask for, by whichever way it came: what is asked, and how it is carried out."""
