"""The HTTP server of the wall: the page, its event streams, and acknowledgements."""
