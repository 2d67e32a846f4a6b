"""What people look at: the wall page (`dashboards.wall`), drawn from the public views only."""
