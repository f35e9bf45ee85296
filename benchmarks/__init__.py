"""How fast and how frugal llmctl is: workloads, the server they run against, and the loops they are compared with."""
