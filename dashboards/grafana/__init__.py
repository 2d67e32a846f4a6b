"""Builds Grafana's dashboards from code, for sites that have Grafana; the wall page does not need them.

Reading order: `theme` (colours and limits), `names` (titles of the site inside SQL), `spans` (time ranges in SQL),
`clickhouse` (one query), `panels` (one panel), `frame` (what every dashboard has), then a module for each dashboard:
`command_centre`, `entrances`, `vehicles`, `areas`, `health`. Their SQL is in `queries`, `entrance_queries` and
`area_queries`. `files` writes all of it into a folder with Grafana's provisioning, `push` sends dashboards to Grafana.
"""
