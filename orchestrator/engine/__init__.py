"""One run: links, one worker per operation, end of data, retries.

Messages pass as bytes and are never decoded here. What starts components belongs to the backends;
what messages mean belongs to `orchestrator.results`; nothing here knows of a command line.
"""
