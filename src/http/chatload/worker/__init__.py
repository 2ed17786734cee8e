"""One process of the load tester: many connections, one thread, epoll."""
