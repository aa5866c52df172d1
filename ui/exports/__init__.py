"""What a pipeline can be exported to: one module per format, and the table of them.

A module here turns a composed pipeline into the bytes of a file, or of the files of a folder, and
says what could not be carried over. Writing to disk and talking to people is the command's part;
what a format needs to know of pipelines belongs to composer or orchestrator.
"""
