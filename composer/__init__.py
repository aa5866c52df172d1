"""What components exist, what their contracts say, and whether a pipeline of them fits together.

Here belongs everything that can be known without running anything: manifests, descriptors, ports,
the pipeline file, its checks and its graph. What starts or calls a component does not
(`orchestrator`), nor does what speaks to people (`ui`). Components are read, never imported.

    manifest.py     component.yaml                     document.py    YAML with line numbers
    contract.py     descriptor sets of untrusted code  parameters.py  values against JSON schemas
    component.py    one component, all of it together  registry.py    all components there are
    ports.py        the two matching rules             pipeline.py    the pipeline as data
    pipeline_file.py  the pipeline as a file           checks.py, graph.py  what may run
    layout.py       where the nodes of a picture go    errors.py, names.py
"""
