"""The HTTP server of the wall: the page, its event streams, replays, and acknowledgements."""
