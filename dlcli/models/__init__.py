"""Networks: a stem for the data, a body for the architecture, a head for the task."""
