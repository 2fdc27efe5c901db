"""Jobs and what they need in Redis: the job queue, leases, circuits, alarms, work that several workers share."""
