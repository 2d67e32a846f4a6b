"""Tests of Grafana's dashboards without a Grafana: SQL on a real store, JSON by the SDK, and PromQL."""
