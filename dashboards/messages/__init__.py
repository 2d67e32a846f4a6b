"""The words and texts of alarms for people: one wording for robots, the wall, Grafana and the command line."""
