"""The wall page: live figures for the screens of a command centre.

Read in this order:

`queries` (rows out of the public views) → `snapshot` (rows to one picture of the site, pure) →
`feed` (two rounds a second, shared by all displays) → `server` (HTTP, server-sent events) →
`desk` (operators acknowledge alarms) → `serving` (socket, process) → `run` (with the store) →
`static/` (the page itself).
"""
