"""The commands of `eoloom`, a module each, and what they share.

Here belongs what reads options and arguments; what is shown, and the models behind it, does not.
A command imports what it needs when it is called, so that `eoloom --help` is fast.
"""
