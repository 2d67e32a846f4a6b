"""The wall page: live figures for the screens of a command centre.

Read in this order:

`live/queries` (rows of the public views) → `model` (rows to one snapshot of the site, pure) → `live/feed` (two rounds a
second, shared by all displays) → `http/server` (the page and its event stream) → `http/acknowledge` (operators
acknowledge alarms) → `http/run` (socket, process, store) → `static/` (the page itself). `replay/` shows past intervals
through the same model and the same page.
"""
