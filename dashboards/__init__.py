"""What people look at, drawn from the public views only: the wall page, Grafana's dashboards, texts of messages."""
