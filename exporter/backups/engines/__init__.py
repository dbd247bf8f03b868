"""One module for each kind of data that is saved, all of one shape (`shape.py`)."""
