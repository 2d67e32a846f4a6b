"""How the embedded servers, their supervision and the checks behave."""
