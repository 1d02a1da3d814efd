"""From a config and a table to a data set and a learner."""
