"""What is known of the source topics: what the brokers have, what the store noted, and the words for each problem."""
