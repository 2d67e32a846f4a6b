"""All processes of a demo on this machine, in order, and the directory in which their state outlives them."""
