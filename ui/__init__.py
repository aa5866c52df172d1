"""What speaks to people: the command line.

Here belong commands, live progress, tables and pictures, and the models behind them, which know
neither a terminal nor a web page. What a pipeline means does not belong here (`composer`), nor how
it runs (`orchestrator`).

Models
    state.py            a run in progress, from its events
    run_view.py         a run of the past, from the journal and its folder
    figures.py          the headline figures of results
    component_view.py   a component and its parameters, in words
    drawing.py          a pipeline as boxes and arrows
Shown
    live.py, tables.py, summary.py      at a terminal
    text_picture.py, canvas.py          a pipeline in characters
    picture.py, picture_layout.py       a pipeline as SVG or PNG
    documents.py                        all of it as JSON
    formatting.py                       numbers, times and paths in words
The command line
    cli.py, commands/   `eoloom`; the only modules that know typer
    output.py           stdout and stderr
    exits.py            exit codes, and which error ends in which
    page_server.py      the page of `eoloom ui`, served by this process
    reloading.py        pages that load themselves again where code was lost
    interrupts.py       Ctrl-C
    settings.py         options and environment
    scaffold/           new component projects
    errors.py
"""
