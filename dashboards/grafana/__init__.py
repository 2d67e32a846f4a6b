"""Builds Grafana's dashboards from code, for sites that have Grafana; the wall page does not need them.

Reading order: `theme` (colours and limits), `sql` (titles and time ranges in queries), `panels` (one panel), `frame`
(what every dashboard has), then the dashboards, each panel with its SQL: `command_centre`, `entrances` (for vehicles,
too), `areas`, `health`. `files` writes all of it into a folder with Grafana's provisioning, `push` sends dashboards to
Grafana.
"""
