"""The kinds of faults: one module each, or one for a close family.

A module declares the model of a kind (`@fault`), and for each stack that can have it what makes it
ready (`@injection`): an injector and a probe. A scenario is read with these modules, so a client of
a server or an engine is imported only where it is used.
"""
