"""Learning rates as pure functions of step and history; they know no optimizer."""
