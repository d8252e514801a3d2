"""`musai forget`: what the warehouse keeps of listeners who are to be forgotten, found and taken out."""
