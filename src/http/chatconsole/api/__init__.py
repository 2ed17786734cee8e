"""The console's interface, version 1: what a node's management port tells, and what may be asked of it.

JSON, names in camelCase; times are seconds, sizes bytes. Within a version fields are only added: a front ignores those
that it does not know.
"""
