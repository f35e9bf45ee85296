"""What applications import of llmctl to have their own calls recorded."""
