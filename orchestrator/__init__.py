"""The orchestrator: runs a composed pipeline and moves messages between its components.

Here belong the engine (one run), the backends (where components are started), the journal (what
happened) and the results of a run. It calls components over gRPC and never imports one; it never
talks to people, which is the ui's part.
"""
