"""Records gathered into tables of runs, and the contrasts and claims estimated from them."""
