"""How an operator sees the processes at work: logs, traces, reports of errors, and the sums behind the metrics."""
