"""The state of the source topics: what the brokers have, what the store knows, and the texts for each problem."""
