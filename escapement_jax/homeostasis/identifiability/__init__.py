"""What the data can tell, before anything is fitted."""
