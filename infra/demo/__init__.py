"""The demo: a whole site on this machine with a simulated day, verified at its end."""
