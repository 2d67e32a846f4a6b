"""The state of the source topics: what brokers and store know of them, and the texts for each problem."""
