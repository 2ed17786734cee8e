"""The network edge: one listener, HTTP through hypercorn, WebSockets through their own outboxes."""
