"""Grafana's dashboards as code, for those who have Grafana; the wall page needs none of this.

Reading order: `theme` (colours and limits), `names` (titles of the site inside SQL), `spans` (which moments are asked
for), `clickhouse` (one query), `panels` (one panel), `around` (what every dashboard has), then a dashboard each:
`command_centre`, `entrances`, `vehicles`, `areas`, `health`; their SQL is in `questions`, `gate_questions` and
`area_questions`. `files` puts all into a folder with Grafana's provisioning, `push` brings them to a running Grafana.
"""
