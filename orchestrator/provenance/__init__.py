"""What a run did, in the forms in which others read it: Workflow Run RO-Crate and OpenLineage.

Here belong the account of a run that both forms need, and the translation into each. Reading the
journal and the results is their own modules' part; talking to people is the ui's.
"""
