"""Memory of calls across runs: deterministic operations are not repeated for equal input.

Here belongs what makes two calls equal, where answers are kept, and how their files come into the
folder of another run. When operations are called is the engine's business: it knows this package
by the protocol in `orchestrator.engine.call_memory` only.
"""
