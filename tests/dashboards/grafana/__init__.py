"""Grafana's dashboards, proven without a Grafana: their SQL on a real store, their JSON by the SDK, their PromQL."""
