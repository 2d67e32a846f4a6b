"""Made-up days of passages: who goes through which lane, and when."""
