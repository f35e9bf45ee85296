"""Our own HTTP/1.1 client: connections, a pool of them, and one exchange."""
