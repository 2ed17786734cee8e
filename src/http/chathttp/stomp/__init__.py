"""STOMP 1.0, 1.1 and 1.2 without I/O: bytes in, frozen values out. No clock, no async.

Both ends use it: the server's sessions, and clients such as the load tester.
Specifications: https://stomp.github.io/stomp-specification-1.2.html (also -1.1 and -1.0).
"""
